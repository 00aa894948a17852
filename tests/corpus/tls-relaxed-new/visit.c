/* SPDX-License-Identifier: MIT */
int visit(void);
int first_visits(void);
static __thread int first, second = 100;
extern __thread int all;
__thread int all = 1000;

__attribute__((noinline)) int first_visits(void)
{
	first += 1;
	second += 1;
	return first;
}

int visit(void)
{
	return first_visits();
}
