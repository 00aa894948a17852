/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int turn(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", turn(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
