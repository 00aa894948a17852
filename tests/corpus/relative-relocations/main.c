/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

const char *name(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		puts(name(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
