/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

long ask(long value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%ld\n", ask(atol(line)));
		fflush(stdout);
	}
	return 0;
}
