/* SPDX-License-Identifier: MIT */
int call(int value);

static int (*volatile handlers[2])(int value);

int call(int value)
{
	return handlers[1] ? handlers[1](value) : -1;
}
