/* SPDX-License-Identifier: MIT */
int read_mode(int value);

static volatile int mode;

int read_mode(int value)
{
	return mode + value;
}
