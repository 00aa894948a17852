// SPDX-License-Identifier: MIT
/*
 * The program that the stack check's live tests look at: `stack_target MODE` brings itself into
 * one situation, prints "ready START END" (the code range of the function that counts as changed)
 * and stays as it is until it is killed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "stack_wait.h"

KEEP static void nothing(void)
{
	BARRIER;
}

/* The changed function. */
CHANGED static void changed(void (*inner)(void))
{
	inner();
	BARRIER;
}

/* Its last instruction is a call that does not come back. */
__attribute__((noreturn)) KEEP static void wait_forever(void)
{
	for (;;)
		wait_here();
}

CHANGED __attribute__((noreturn)) static void changed_at_its_end(void)
{
	wait_forever();
}

KEEP static void through_code_without_cfi(void)
{
	call_without_cfi(wait_here);
	BARRIER;
}

/* As a compiler in the program makes it: in no file, and nobody has told how to unwind it. */
KEEP static void call_through_jit(void (*function)(void))
{
	static const unsigned char code[] = {
		0x53,	    /* push %rbx */
		0xff, 0xd7, /* call *%rdi */
		0x5b,	    /* pop %rbx */
		0xc3,	    /* ret */
	};
	void *made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(made, code, sizeof(code));
	mprotect(made, 4096, PROT_READ | PROT_EXEC);
	((void (*)(void (*)(void)))(uintptr_t)made)(function);
	BARRIER;
}

KEEP static void through_jit(void)
{
	call_through_jit(wait_here);
	BARRIER;
}

KEEP static void deep_then_back(int depth)
{
	if (depth)
		deep_then_back(depth - 1);
	else
		changed(nothing);
	BARRIER;
}

/* A frame with a large array that nobody writes: what earlier calls left stays in it. */
KEEP static void wait_over_leftovers(void)
{
	volatile char array[4096];

	__asm__ volatile("" : : "r"(array) : "memory");
	wait_here();
	BARRIER;
}

KEEP static void wait_over_leftovers_below_code_without_cfi(void)
{
	volatile char array[4096];

	__asm__ volatile("" : : "r"(array) : "memory");
	call_without_cfi(wait_here);
	BARRIER;
}

KEEP static void wait_over_leftovers_below_jit(void)
{
	volatile char array[4096];

	__asm__ volatile("" : : "r"(array) : "memory");
	call_through_jit(wait_here);
	BARRIER;
}

static void leftovers_under_jit(void)
{
	deep_then_back(4);
	wait_over_leftovers_below_jit();
}

static void busy_under_jit(void)
{
	changed(through_jit);
}

static void leftovers(void)
{
	deep_then_back(4);
	wait_over_leftovers();
}

static void leftovers_without_cfi(void)
{
	deep_then_back(4);
	wait_over_leftovers_below_code_without_cfi();
}

static void busy(void)
{
	changed(wait_here);
}

static void busy_deep(void)
{
	volatile char array[64 * 1024];

	__asm__ volatile("" : : "r"(array) : "memory");
	changed(wait_here);
	BARRIER;
}

/* The changed function is far above what one read of the stack shows. */
KEEP static void sixty_four_kib_lower(void)
{
	volatile char array[64 * 1024];

	__asm__ volatile("" : : "r"(array) : "memory");
	wait_here();
	BARRIER;
}

static void busy_far(void)
{
	changed(sixty_four_kib_lower);
}

static void busy_without_cfi(void)
{
	changed(through_code_without_cfi);
}

static void (*in_thread)(void);

static void *thread_main(void *unused)
{
	(void)unused;
	in_thread();
	return NULL;
}

static void run_in_thread(void (*function)(void))
{
	pthread_t thread;

	in_thread = function;
	pthread_create(&thread, NULL, thread_main, NULL);
	pthread_join(thread, NULL);
}

static void thread_busy(void)
{
	run_in_thread(busy);
}

static void thread_leftovers(void)
{
	run_in_thread(leftovers);
}

static void thread_idle(void)
{
	run_in_thread(wait_here);
}

/* Signal handlers that stay in the handler. */
static void handle(int signal_number)
{
	(void)signal_number;
	wait_here();
}

KEEP static void raise_here(void)
{
	raise(SIGUSR1);
	BARRIER;
}

static void install(int flags)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = flags};

	sigaction(SIGUSR1, &action, NULL);
}

static void install_on_other_stack(void)
{
	stack_t stack = {.ss_size = 64 * 1024};

	stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	sigaltstack(&stack, NULL);
	install(SA_ONSTACK);
}

static void signal_over_changed(void)
{
	install(0);
	changed(raise_here);
}

static void signal_other_stack_over_changed(void)
{
	install_on_other_stack();
	changed(raise_here);
}

static void signal_other_stack_over_leftovers(void)
{
	install_on_other_stack();
	deep_then_back(4);
	raise_here();
}

/* The instruction that faults is the changed function's own, so that no call leads there. */
CHANGED static void fault(void)
{
	*(volatile char *)NULL = 1;
	BARRIER;
}

static void fault_on(int flags)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = flags};

	sigaction(SIGSEGV, &action, NULL);
	fault();
}

static void signal_in_changed(void)
{
	install_on_other_stack();
	fault_on(SA_ONSTACK);
}

static void signal_in_changed_same_stack(void)
{
	fault_on(0);
}

#include "stack_coroutines.h"

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {{"idle", wait_here},
	     {"busy", busy},
	     {"busy-deep", busy_deep},
	     {"busy-far", busy_far},
	     {"busy-at-its-end", changed_at_its_end},
	     {"busy-without-cfi", busy_without_cfi},
	     {"idle-under-jit", through_jit},
	     {"busy-under-jit", busy_under_jit},
	     {"leftovers-under-jit", leftovers_under_jit},
	     {"leftovers", leftovers},
	     {"leftovers-without-cfi", leftovers_without_cfi},
	     {"thread-busy", thread_busy},
	     {"thread-leftovers", thread_leftovers},
	     {"thread-idle", thread_idle},
	     {"signal-over-changed", signal_over_changed},
	     {"signal-other-stack-over-changed", signal_other_stack_over_changed},
	     {"signal-other-stack-over-leftovers", signal_other_stack_over_leftovers},
	     {"signal-in-changed", signal_in_changed},
	     {"signal-in-changed-same-stack", signal_in_changed_same_stack},
	     COROUTINE_MODES};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(modes[i].name, argv[1])) {
			modes[i].run();
			return 0;
		}
	}
	return 2;
}
