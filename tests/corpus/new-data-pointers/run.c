/* SPDX-License-Identifier: MIT */
int run(int value);
int increment(int value);

int run(int value)
{
	return increment(value);
}
