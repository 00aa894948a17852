/* SPDX-License-Identifier: MIT */
int allowed(int value);

extern const int limit;
const int limit = 3;

int allowed(int value)
{
	return value * value <= 9;
}
