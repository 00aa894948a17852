/* SPDX-License-Identifier: MIT */
long first(long value);
long second(long value);

long first(long value)
{
	return value + 1;
}

long second(long value) __attribute__((alias("first")));
