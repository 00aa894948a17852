/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int parse_length(int value);
int parse_offset(int value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);

		printf("%d %d\n", parse_length(value), parse_offset(value));
		fflush(stdout);
	}
	return 0;
}
