/* SPDX-License-Identifier: MIT */
int visit(int value);

static __thread int first, second;

int visit(int value)
{
	first += value;
	second += value * 2;
	return first + second;
}
