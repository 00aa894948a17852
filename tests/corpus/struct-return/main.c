/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "split.h"

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		struct parts parts = split(atol(line));

		printf("%ld %ld %ld\n", parts.thousands, parts.rest, parts.check);
		fflush(stdout);
	}
	return 0;
}
