/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "callback.h"

static int serve(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);

		printf("%d\n", value * value);
		fflush(stdout);
	}
	return 0;
}

int main(void)
{
	return with_callback(serve);
}
