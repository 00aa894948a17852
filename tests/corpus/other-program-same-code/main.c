/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int price(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", price(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
