/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

const char *digits(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		puts(digits(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
