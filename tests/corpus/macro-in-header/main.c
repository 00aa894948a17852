/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int cost(int value);
int price(int value);
int same(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);

		printf("%d %d %d\n", cost(value), price(value), same(value));
		fflush(stdout);
	}
	return 0;
}
