/* SPDX-License-Identifier: MIT */
int SCALE(int value);
__attribute__((noinline)) int SCALE(int value)
{
	return value * value * FACTOR;
}
