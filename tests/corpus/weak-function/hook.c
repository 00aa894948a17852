/* SPDX-License-Identifier: MIT */
int hook(int value);

__attribute__((weak)) int hook(int value)
{
	return value * 31 + 1;
}
