/* SPDX-License-Identifier: MIT */
int allowed(int value);

static const int limit = 3;

int allowed(int value)
{
	return value * value <= limit * limit;
}
