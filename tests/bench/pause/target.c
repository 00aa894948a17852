/* SPDX-License-Identifier: MIT */
/* The target of the pause bench: as many waiting threads as asked for, and one function to patch.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t words[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t started;

int answer(int question);

__attribute__((noinline)) int answer(int question)
{
	static int calls;

	calls++;
	printf("call %d\n", calls);
	return question + 1;
}

static void *wait_for_ever(void *unused)
{
	pthread_barrier_wait(&started);
	pthread_mutex_lock(&lock);
	for (;;)
		pthread_cond_wait(&never, &lock);
	return unused;
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
	char line[64];

	/* The main thread is one of them. */
	pthread_barrier_init(&started, NULL, count);
	for (unsigned i = 1; i < count; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, wait_for_ever, NULL) != 0)
			return 1;
	}
	pthread_barrier_wait(&started);
	printf("%lx\n", (unsigned long)(uintptr_t)words);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", answer(1));
		fflush(stdout);
	}
	return 0;
}
