/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "state.h"

struct machine machine;

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int angle = turn(atoi(line));

		printf("%d %d\n", angle, machine.turns);
		fflush(stdout);
	}
	return 0;
}
