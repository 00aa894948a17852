/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int step(int times);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", step(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
