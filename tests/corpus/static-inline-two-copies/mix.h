/* SPDX-License-Identifier: MIT */
static __attribute__((noinline)) int mix(int value)
{
	return value * value + value;
}
