/* SPDX-License-Identifier: MIT */
int report(int value);

extern int debug_level;
int debug_level = 2;

int report(int value)
{
	return value + debug_level;
}
