/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int one(int value);
int ten(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int low = one(atoi(line));

		printf("%d %d\n", low, ten(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
