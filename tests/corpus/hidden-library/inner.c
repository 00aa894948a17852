/* SPDX-License-Identifier: MIT */
int inner(int value);
extern int inner_total;
int inner_total = 2;

int inner(int value)
{
	return value * value + inner_total;
}
