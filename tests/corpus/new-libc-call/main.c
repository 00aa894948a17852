/* SPDX-License-Identifier: MIT */
#include <stdio.h>

unsigned long join(char *to, const char *first, const char *second);

int main(void)
{
	char line[64], first[64], second[64], to[128];

	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%63s %63s", first, second) != 2)
			return 1;

		unsigned long length = join(to, first, second);

		if (length)
			printf("%s %lu\n", to, length);
		else
			printf("%s\n", to);
		fflush(stdout);
	}
	return 0;
}
