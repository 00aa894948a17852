/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "limit.h"

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", limit(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
