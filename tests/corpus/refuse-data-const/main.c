/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int allowed(int value);
extern const int limit;

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", limit ? allowed(atoi(line)) : -1);
		fflush(stdout);
	}
	return 0;
}
