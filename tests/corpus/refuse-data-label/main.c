/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

long resume(long value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%ld\n", resume(atol(line)));
		fflush(stdout);
	}
	return 0;
}
