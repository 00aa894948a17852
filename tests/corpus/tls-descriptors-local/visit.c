/* SPDX-License-Identifier: MIT */
int visit(int value);

static __thread int visits, calls, sum;

int visit(int value)
{
	visits += value;
	calls++;
	sum += visits;
	return visits + (sum - sum) * calls;
}
