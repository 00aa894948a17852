/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

int ask(int value);
void *work(void *unused);

int main(void)
{
	pthread_t worker;
	char line[64];

	if (pthread_create(&worker, NULL, work, NULL) != 0)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", ask(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
