/* SPDX-License-Identifier: MIT */
int visit(void);

static __thread int other = 3;
static __thread int visits;

int visit(void)
{
	visits += other - 2;
	return visits;
}
