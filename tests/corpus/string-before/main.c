/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

int method(const char *line, size_t length);
int version(const char *line, size_t length);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		size_t length = strcspn(line, "\n");

		printf("%d\n", method(line, length) + version(line, length));
		fflush(stdout);
	}
	return 0;
}
