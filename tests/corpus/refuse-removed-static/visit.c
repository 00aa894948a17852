/* SPDX-License-Identifier: MIT */
int visit(int value);

static int visits;

int visit(int value)
{
	visits += value;
	return visits;
}
