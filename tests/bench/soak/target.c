/* SPDX-License-Identifier: MIT */
/*
 * The target of the soak: threads that wait, a thread that makes others which end at once (1,000
 * each second), two that call the patched function all the time, and signals that are counted.
 * Answers each line with `ANSWER SIGNALS BORN WRONG`; WRONG counts results that are neither the old
 * nor the new function's.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_ulong signals, born, wrong;

int answer(int question);

__attribute__((noinline)) int answer(int question)
{
	static int calls;

	__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
	return question + 1;
}

static void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&signals, 1);
}

static void *nothing(void *unused)
{
	return unused;
}

static void *storm(void *unused)
{
	const struct timespec nap = {.tv_nsec = 1000000};

	for (;;) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, nothing, NULL) == 0) {
			atomic_fetch_add(&born, 1);
			pthread_join(thread, NULL);
		}
		nanosleep(&nap, NULL);
	}
	return unused;
}

static void *call(void *unused)
{
	const struct timespec nap = {.tv_nsec = 200000};

	for (;;) {
		for (int i = 0; i < 100; i++) {
			int result = answer(1);

			if (result != 2 && result != 3)
				atomic_fetch_add(&wrong, 1);
		}
		nanosleep(&nap, NULL);
	}
	return unused;
}

static void *wait_long(void *unused)
{
	const struct timespec day = {.tv_sec = 86400};

	for (;;)
		nanosleep(&day, NULL);
	return unused;
}

int main(void)
{
	static void *(*const work[])(void *) = {storm,	   call,      call,	 wait_long,
						wait_long, wait_long, wait_long, wait_long};
	struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	char line[64];

	sigaction(SIGRTMIN, &action, NULL);
	for (size_t i = 0; i < sizeof(work) / sizeof(work[0]); i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work[i], NULL) != 0)
			return 1;
	}
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d %lu %lu %lu\n", answer(1), atomic_load(&signals), atomic_load(&born),
		       atomic_load(&wrong));
		fflush(stdout);
	}
	return 0;
}
