/* SPDX-License-Identifier: MIT */
/*
 * The target of the coroutine bench: coroutines as QEMU's ucontext backend makes them (a context on
 * a mapped stack of 1 MiB with a guard page, a jmp_buf on the heap), all suspended, beside a heap
 * of as many MiB as asked for, and one function to patch.
 *
 *   target COROUTINES:MEBIBYTES
 */
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define STACK_BYTES (1u << 20)
#define BLOCK_BYTES (16u << 10) /* below the limit from which malloc maps each one apart */

struct coroutine {
	sigjmp_buf suspended;
	void *stack;
};

static uint64_t words[2];
static sigjmp_buf maker;
static struct coroutine *made;

int answer(int question);

__attribute__((noinline)) int answer(int question)
{
	static int calls;

	calls++;
	printf("call %d\n", calls);
	return question + 1;
}

static void run_coroutine(void)
{
	struct coroutine *self = made;

	if (!sigsetjmp(self->suspended, 0))
		siglongjmp(maker, 1);
	abort(); /* nobody resumes it */
}

static int make_coroutine(void)
{
	ucontext_t *context = malloc(sizeof(*context));
	ucontext_t back;

	made = calloc(1, sizeof(*made));
	if (!context || !made || getcontext(context))
		return 1;
	made->stack =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (made->stack == MAP_FAILED || mprotect(made->stack, 4096, PROT_NONE))
		return 1;
	context->uc_stack.ss_sp = made->stack;
	context->uc_stack.ss_size = STACK_BYTES;
	context->uc_link = &back;
	makecontext(context, run_coroutine, 0);
	if (!sigsetjmp(maker, 0))
		swapcontext(&back, context);
	free(context);
	return 0;
}

/* Words that are neither zero nor alike, in blocks that a heap is made of. */
static int fill_heap(size_t bytes)
{
	uint64_t value = 88172645463325252u;

	for (size_t done = 0; done < bytes; done += BLOCK_BYTES) {
		volatile uint64_t *block = malloc(BLOCK_BYTES - 16);

		if (!block)
			return 1;
		for (size_t i = 0; i < (BLOCK_BYTES - 16) / 8; i++) {
			value ^= value << 13;
			value ^= value >> 7;
			value ^= value << 17;
			block[i] = value;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long coroutines, mebibytes;
	char line[64];

	if (argc != 2 || sscanf(argv[1], "%lu:%lu", &coroutines, &mebibytes) != 2 ||
	    fill_heap(mebibytes << 20))
		return 1;
	for (; coroutines > 0; coroutines--)
		if (make_coroutine())
			return 1;
	printf("%lx\n", (unsigned long)(uintptr_t)words);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", answer(1));
		fflush(stdout);
	}
	return 0;
}
