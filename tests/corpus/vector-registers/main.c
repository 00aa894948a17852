/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "blend.h"

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);
		four sum = blend((four){value, value, value, value}, (four){0, 1, 2, 3});

		printf("%d %d %d %d\n", sum[0], sum[1], sum[2], sum[3]);
		fflush(stdout);
	}
	return 0;
}
