/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

const char *tail(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		puts(tail(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
