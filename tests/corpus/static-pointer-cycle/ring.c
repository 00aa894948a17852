/* SPDX-License-Identifier: MIT */
struct node {
	const struct node *next;
	int (*visit)(int value);
};

int walk(int value);
static int hop(int value);
static int skip(int value);
static const struct node second;
static const struct node first = {&second, hop};
static const struct node second = {&first, skip};

static int hop(int value)
{
	return value + 1;
}

static int skip(int value)
{
	return value;
}

int walk(int value)
{
	const struct node *volatile node = &first;

	for (int i = 0; i < 3; i++) {
		if (i == 2)
			return node->visit(value) + (value > 100);
		value = i ? value : node->visit(value) - (value < 100 ? 1 : 0);
		node = node->next;
	}
	return value;
}
