/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

char lookup(int index, int *weight);

int weights[4] = {10, 20, 30, 40};
const char letters[4] = {'a', 'b', 'c', 'd'};

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int weight = 0;
		char letter = lookup(atoi(line), &weight);

		printf("%c %d\n", letter, weight);
		fflush(stdout);
	}
	return 0;
}
