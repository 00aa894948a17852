/* SPDX-License-Identifier: MIT */
int swap(int value);

struct page {
	int words[1000];
};

static struct page first, second;

int swap(int value)
{
	first.words[999] = value;
	return second.words[999] + second.words[998] + (second.words[999] ? 0 : first.words[999]);
}
