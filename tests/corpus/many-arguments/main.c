/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "sum.h"

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%ld\n", sum(atol(line), 2, 3, 4, 5, 6, 7, 8));
		fflush(stdout);
	}
	return 0;
}
