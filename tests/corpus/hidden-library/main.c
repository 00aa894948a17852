/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int inner(int value);
__attribute__((visibility("default"))) int main(void);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", inner(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
