/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

const char *name_of(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		puts(name_of(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
