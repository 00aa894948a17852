/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int visit(void);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", visit());
		fflush(stdout);
	}
	return 0;
}
