/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "same.h"

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);

		printf("%d %d\n", same(value), neighbour(value));
		fflush(stdout);
	}
	return 0;
}
