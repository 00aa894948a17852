/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define STACK_BYTES (1 << 18)

int guarded(int value);
int work(int value);
extern int depth;

int depth;

/* Unwinds through guarded(), which has to clean up. */
int work(int value)
{
	if (value < 0)
		pthread_exit(NULL);
	return value * value;
}

static void *run(void *value)
{
	guarded(*(int *)value);
	return NULL;
}

/* On a stack that is gone afterwards, and with it what the thread left there. */
static void in_a_thread(int value)
{
	void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	pthread_attr_t attributes;
	pthread_t thread;

	if (stack == MAP_FAILED || pthread_attr_init(&attributes) ||
	    pthread_attr_setstack(&attributes, stack, STACK_BYTES))
		exit(1);
	if (!pthread_create(&thread, &attributes, run, &value))
		pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
	munmap(stack, STACK_BYTES);
}

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);

		in_a_thread(-value);
		printf("%d %d\n", guarded(value), depth);
		fflush(stdout);
	}
	return 0;
}
