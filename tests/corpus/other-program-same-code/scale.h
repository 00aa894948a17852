/* SPDX-License-Identifier: MIT */
static inline int scale(int value)
{
	return value * 3;
}
