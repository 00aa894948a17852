/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int add(int value);
int limit(int value, int most);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line), sum = add(value);

		printf("%d %d\n", sum, value > 290 && sum < 200 ? 2 * limit(value, 100) : 2 * value);
		fflush(stdout);
	}
	return 0;
}
