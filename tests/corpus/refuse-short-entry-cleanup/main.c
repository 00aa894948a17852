/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int serve(int value);
int work(void);
extern int depth;

int depth;

int work(void)
{
	return ++depth;
}

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d %d\n", serve(atoi(line)), depth);
		fflush(stdout);
	}
	return 0;
}
