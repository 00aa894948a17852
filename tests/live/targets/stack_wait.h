// SPDX-License-Identifier: MIT
/* What the programs share that the stack check's live tests look at: where they come to rest. */
#ifndef TESTS_LIVE_TARGETS_STACK_WAIT_H
#define TESTS_LIVE_TARGETS_STACK_WAIT_H

#include <stdio.h>
#include <unistd.h>

#define KEEP	__attribute__((noinline, noclone, noipa))
#define CHANGED KEEP __attribute__((section("changed_code")))
#define BARRIER __asm__ volatile("" ::: "memory")

extern char __start_changed_code[], __stop_changed_code[];
extern void call_without_cfi(void (*function)(void));

__asm__(".text\n"
	".type call_without_cfi, @function\n"
	"call_without_cfi:\n"
	"	push %rbx\n"
	"	call *%rdi\n"
	"	pop %rbx\n"
	"	ret\n"
	".size call_without_cfi, . - call_without_cfi\n");

/* The changed code, unless a mode says otherwise. */
static char *range_start = __start_changed_code, *range_end = __stop_changed_code;

KEEP static void wait_here(void)
{
	printf("ready %p %p\n", (void *)range_start, (void *)range_end);
	fflush(stdout);
	for (;;) {
		pause();
		BARRIER;
	}
}

#endif
