/* SPDX-License-Identifier: MIT */
int guarded(int value);
int work(int value);
extern int depth;

static void leave(const int *value)
{
	depth -= *value;
}

int guarded(int value)
{
	__attribute__((cleanup(leave))) int here = value;

	depth += value;
	return work(here) + 1;
}
