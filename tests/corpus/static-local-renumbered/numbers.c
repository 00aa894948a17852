/* SPDX-License-Identifier: MIT */
int bottom(void);
int middle(void);

int bottom(void)
{
	static int n = 10;

	return ++n;
}

int middle(void)
{
	static int n = 100;

	return ++n;
}
