/* SPDX-License-Identifier: MIT */
int visit(int value);
extern __thread int visits;

int visit(int value)
{
	visits += value;
	return visits;
}
