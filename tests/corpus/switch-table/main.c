/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int dispatch(int command, int value);
int add(int value);
int spread(int value);

int add(int value)
{
	return value + 1;
}

int spread(int value)
{
	return value * 8;
}

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", dispatch(atoi(line), 7));
		fflush(stdout);
	}
	return 0;
}
