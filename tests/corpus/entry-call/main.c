/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int ask(void);
int helper(void);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d %d\n", ask(), helper());
		fflush(stdout);
	}
	return 0;
}
