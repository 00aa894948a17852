/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int area(int side);

int main(void)
{
	/* The entry, and an address in the middle such as a profiler would keep. */
	void *volatile samples[] = {(void *)area, (char *)(void *)area + 3};
	int (*volatile chosen)(int side) = area;
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", samples[0] ? chosen(atoi(line)) : -1);
		fflush(stdout);
	}
	return samples[1] == NULL;
}
