/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int low_scale(int value);
int high_scale(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);

		printf("%d %d\n", low_scale(value), high_scale(value));
		fflush(stdout);
	}
	return 0;
}
