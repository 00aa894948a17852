/* SPDX-License-Identifier: MIT */
int read_mode(int value);

static volatile int mode;

__attribute__((constructor)) static void choose_mode(void)
{
	mode = 7;
}

int read_mode(int value)
{
	return mode + value;
}
