/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

struct node {
	struct node *next;
	int value;
};

int last(const struct node *node);

int main(void)
{
	struct node third = {NULL, 30}, second = {&third, 20}, first = {&second, 10};
	struct node *const starts[] = {&third, &second, &first};
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", last(starts[atoi(line) % 3]));
		fflush(stdout);
	}
	return 0;
}
