/* SPDX-License-Identifier: MIT */
int visit(int value);

static __thread volatile int start = 40;

int visit(int value)
{
	return start + value;
}
