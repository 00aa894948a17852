/* SPDX-License-Identifier: MIT */
#pragma GCC visibility push(hidden)
long second(long value);
long first(long value);

long first(long value)
{
	return value * 2;
}

long second(long value)
{
	return value + 3;
}
