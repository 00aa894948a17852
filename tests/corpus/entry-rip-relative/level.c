/* SPDX-License-Identifier: MIT */
int read_level(void);

static volatile int level = 40;

int read_level(void)
{
	return level;
}
