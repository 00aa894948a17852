/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int area(int side);

static atomic_int ended;

static void *live_shortly(void *unused)
{
	area(3);
	return unused;
}

static void *breed(void *unused)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	while (!ended) {
		pthread_t child;

		if (pthread_create(&child, NULL, live_shortly, NULL) == 0)
			pthread_join(child, NULL);
		nanosleep(&pause, NULL);
	}
	return unused;
}

int main(void)
{
	pthread_t breeder;
	char line[64];

	if (pthread_create(&breeder, NULL, breed, NULL) != 0)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", area(atoi(line)));
		fflush(stdout);
	}
	ended = 1;
	pthread_join(breeder, NULL);
	return 0;
}
