/* SPDX-License-Identifier: MIT */
int outer(int value);

static inline __attribute__((always_inline)) int inner(int value)
{
	return value * 5;
}

static inline __attribute__((always_inline)) int middle(int value)
{
	return inner(value) + 3;
}

int outer(int value)
{
	return middle(value) + 4;
}
