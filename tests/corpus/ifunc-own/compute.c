/* SPDX-License-Identifier: MIT */
int compute(int value);
int first(int value);

static int compute_plain(int value)
{
	return value * 2;
}

static int (*resolve_compute(void))(int value)
{
	return compute_plain;
}

int compute(int value) __attribute__((ifunc("resolve_compute")));

int first(int value)
{
	return compute(value) + 1;
}
