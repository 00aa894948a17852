/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

int measure(const char *text);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		printf("%d\n", measure(line));
		fflush(stdout);
	}
	return 0;
}
