/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noreturn)) void leave(int reason);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", atoi(line));
		fflush(stdout);
	}
	leave(3);
}
