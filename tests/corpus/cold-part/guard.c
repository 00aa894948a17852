/* SPDX-License-Identifier: MIT */
int guard(int value);
int complain(int value);

int guard(int value)
{
	if (__builtin_expect(value < 0, 0)) {
		complain(value);
		return complain(value) - 1;
	}
	return value * 2;
}
