/* SPDX-License-Identifier: MIT */
int visit(void);
extern __thread int visits;
__thread int visits;

int visit(void)
{
	visits += 1;
	return visits;
}
