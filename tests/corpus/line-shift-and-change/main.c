/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int above(int value);
int below(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", above(atoi(line)) + below(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
