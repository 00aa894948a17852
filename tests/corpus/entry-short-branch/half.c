/* SPDX-License-Identifier: MIT */
int half(int value);
int zero(void);

int half(int value)
{
	if (!value)
		return zero();
	return value / 2;
}
