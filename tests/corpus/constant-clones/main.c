/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

int letters(const char *line);
int digits(const char *line);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		printf("%d %d\n", letters(line), digits(line));
		fflush(stdout);
	}
	return 0;
}
