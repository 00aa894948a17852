/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORKERS 4

int scramble(int value);

static atomic_int done;
static atomic_int wrong;

/* Each answer must be that of the old or of the new function, whenever it is asked for. */
static void *work(void *unused)
{
	const struct timespec pause = {.tv_nsec = 200000};

	(void)unused;
	while (!done) {
		for (int i = 0; i < 10; i++) {
			int answer = scramble(8);

			if (answer != 10 && answer != 11)
				wrong = 1;
		}
		nanosleep(&pause, NULL);
	}
	return NULL;
}

int main(void)
{
	pthread_t workers[WORKERS];
	char line[64];

	for (int i = 0; i < WORKERS; i++)
		pthread_create(&workers[i], NULL, work, NULL);
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d %s\n", scramble(atoi(line)), wrong ? "wrong" : "calm");
		fflush(stdout);
	}
	done = 1;
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	return 0;
}
