/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "mode.h"

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		set_mode((unsigned)atoi(line));
		printf("%u %u %u\n", mode.level, mode.on, mode.rest);
		fflush(stdout);
	}
	return 0;
}
