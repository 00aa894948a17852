/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int add_provider(int number);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", add_provider(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
