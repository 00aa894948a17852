/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

long probe(long value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%ld\n", probe(atol(line)));
		fflush(stdout);
	}
	return 0;
}
