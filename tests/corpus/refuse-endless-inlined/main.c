/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker.h"

int main(void)
{
	pthread_t worker;
	char line[64];

	if (pthread_create(&worker, NULL, work, NULL) != 0)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", limit_of(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
