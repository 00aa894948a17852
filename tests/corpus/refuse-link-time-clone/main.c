/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int mix(int value, int rounds);
void choose_mixer(void);
extern int (*volatile mixer)(int value, int rounds);

int main(void)
{
	char line[64];

	choose_mixer();
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d %d\n", mix(atoi(line), 3), mixer(atoi(line), 2));
		fflush(stdout);
	}
	return 0;
}
