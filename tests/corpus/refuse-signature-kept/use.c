/* SPDX-License-Identifier: MIT */
int use(int value);

static int scale(int value)
{
	return value * value * 2;
}

static void *volatile kept;

int use(int value)
{
	if (!kept)
		kept = (void *)scale;
	return ((int (*)(int))kept)(value);
}
