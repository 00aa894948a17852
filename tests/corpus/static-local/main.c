/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int ticket(void);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", ticket());
		fflush(stdout);
	}
	return 0;
}
