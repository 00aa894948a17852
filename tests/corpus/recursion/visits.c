/* SPDX-License-Identifier: MIT */
int visits(int value);

int visits(int value)
{
	return value;
}
