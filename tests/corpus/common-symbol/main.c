/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int shared_count;
int bump(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		bump(atoi(line));
		printf("%d\n", shared_count);
		fflush(stdout);
	}
	return 0;
}
