/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "units.h"

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);

		printf("%d %d\n", left(value), right(value));
		fflush(stdout);
	}
	return 0;
}
