/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int bottom(void);
int middle(void);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int low = bottom();

		printf("%d %d\n", low, middle());
		fflush(stdout);
	}
	return 0;
}
