/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

int parse(const char *line, int length);
int weigh(const char *line, int length);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int length = (int)strcspn(line, "\n");

		printf("%d %d\n", parse(line, length), weigh(line, length));
		fflush(stdout);
	}
	return 0;
}
