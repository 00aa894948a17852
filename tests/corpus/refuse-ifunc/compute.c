/* SPDX-License-Identifier: MIT */
int compute(int value);

static int compute_plain(int value)
{
	return value * 2;
}

static int compute_fast(int value)
{
	return value << 1;
}

static int (*resolve_compute(void))(int value)
{
	return sizeof(long) == 8 ? compute_plain : compute_fast;
}

int compute(int value) __attribute__((ifunc("resolve_compute")));
