/* SPDX-License-Identifier: MIT */
const char *name(int value);

const char *name(int value)
{
	return value == 2 ? "two" : "other";
}
