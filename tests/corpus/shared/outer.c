/* SPDX-License-Identifier: MIT */
int outer(int value);
int inner(int value);
extern int shared_total;
int shared_total = 1;

int outer(int value)
{
	return inner(value) + shared_total;
}

int inner(int value)
{
	return value * 2 + shared_total;
}
