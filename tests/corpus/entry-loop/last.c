/* SPDX-License-Identifier: MIT */
struct node {
	struct node *next;
	int value;
};

int last(const struct node *node);

int last(const struct node *node)
{
	while (node->next)
		node = node->next;
	return node->value;
}
