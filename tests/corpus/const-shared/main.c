/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int first(int value);
int second(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d %d\n", first(atoi(line)), second(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
