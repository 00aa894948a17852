/* SPDX-License-Identifier: MIT */
const char *who(int value);
int other(int value);

int other(int value)
{
	static const char *volatile name;

	name = __func__;
	return value + name[0];
}

const char *who(int value)
{
	return value ? "whoever" : "nobody";
}
