/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

const char *greeting(int leaving);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		puts(greeting(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
