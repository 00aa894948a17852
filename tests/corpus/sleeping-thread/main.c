/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int area(int side);

static atomic_int woke;

static void *sleep_long(void *unused)
{
	const struct timespec long_time = {.tv_sec = 3600};

	/* Comes back early only if it was interrupted. */
	nanosleep(&long_time, NULL);
	woke = 1;
	return unused;
}

int main(void)
{
	pthread_t sleeper;
	char line[64];

	if (pthread_create(&sleeper, NULL, sleep_long, NULL) != 0)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d %s\n", area(atoi(line)), woke ? "awake" : "asleep");
		fflush(stdout);
	}
	return 0;
}
