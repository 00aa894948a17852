/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int original(int value, int base);
int other(int value, int base);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", original(atoi(line), 9) + other(1, 0));
		fflush(stdout);
	}
	return 0;
}
