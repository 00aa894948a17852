/* SPDX-License-Identifier: MIT */
/*
 * The target of the kill sweep: two functions that one patch changes, and threads that notice when a
 * wait of theirs ends too early. A line on standard input is answered with one line:
 *
 *   FIRST SECOND CALLS INTERRUPTED MASK
 *
 * what the functions say, how often first() has been called (state that must survive), how many
 * waits ended early, and the signal mask of the thread that answers.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static atomic_ulong interrupted;

int first(int base);
int second(int base);

__attribute__((noinline)) int first(int base)
{
	static int calls;

	calls++;
	return base * 1000 + calls;
}

__attribute__((noinline)) int second(int base)
{
	return base * 3 + 1;
}

static void *sleep_again(void *unused)
{
	struct timespec second_of_time = {.tv_nsec = 200000000};

	for (;;)
		if (nanosleep(&second_of_time, NULL) < 0 && errno == EINTR)
			interrupted++;
	return unused;
}

static void *poll_again(void *unused)
{
	for (;;)
		if (poll(NULL, 0, 200) < 0 && errno == EINTR)
			interrupted++;
	return unused;
}

static void print_mask(void)
{
	sigset_t set;
	unsigned long word;

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	memcpy(&word, &set, sizeof(word));
	printf(" %lx\n", word);
	fflush(stdout);
}

int main(void)
{
	pthread_t thread;
	char line[64];

	pthread_create(&thread, NULL, sleep_again, NULL);
	pthread_create(&thread, NULL, poll_again, NULL);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		int one = first(1), two = second(1);

		printf("%d %d %d %lu", one / 1000, two, one % 1000, interrupted);
		print_mask();
	}
	return 0;
}
