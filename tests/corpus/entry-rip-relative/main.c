/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int read_level(void);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", read_level());
		fflush(stdout);
	}
	return 0;
}
