/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int low(int value);
int high(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d %d\n", low(atoi(line)), high(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
