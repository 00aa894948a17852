/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

struct descriptor {
	int *first, *second, *third;
};

/* As QEMU describes its USB devices: __compound_literal.0 to .2, which the program may write. */
static const struct descriptor descriptor = {
	.first = (int[]){1, 0},
	.second = (int[]){10, 0},
	.third = (int[]){100, 0},
};

__attribute__((noinline)) int sum(const struct descriptor *of)
{
	return of->first[0] + of->second[0] + of->third[0];
}

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", sum(&descriptor));
		fflush(stdout);
		descriptor.first[0] += atoi(line);
	}
	return 0;
}
