/* SPDX-License-Identifier: MIT */
int set(int value);

struct flags {
	unsigned low : 3;
	unsigned high : 5;
};

static volatile struct flags flags;

int set(int value)
{
	flags.low = (unsigned)value;
	flags.high = 10;
	return (int)(flags.low + flags.high);
}
