/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int combine(int tens, int ones);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", combine(atoi(line), 3));
		fflush(stdout);
	}
	return 0;
}
