/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "wait.h"

static sem_t started;

static void *work(void *unused)
{
	sem_post(&started);
	wait_for_end();
	return unused;
}

int main(void)
{
	pthread_t worker;
	char line[64];

	sem_init(&started, 0, 0);
	if (pthread_create(&worker, NULL, work, NULL) != 0)
		return 1;
	sem_wait(&started);
	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);

		printf("%d\n", value * value);
		fflush(stdout);
	}
	tell_end();
	pthread_join(worker, NULL);
	return 0;
}
