/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

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

static void in_a_thread(int value)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, run, &value))
		pthread_join(thread, NULL);
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
