/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

int push(int value);

struct item {
	struct item *next;
	int value;
};

static struct item *top;

int push(int value)
{
	struct item *item = malloc(sizeof(*item));

	if (!item)
		return -1;
	item->next = top;
	item->value = value;
	top = item;
	return item->next ? top->value : value;
}
