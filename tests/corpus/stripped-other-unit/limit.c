/* SPDX-License-Identifier: MIT */
int limit(int value, int most);

/* The call that a fix in another unit will make. */
int limit(int value, int most)
{
	if (value > most)
		return most;
	if (value < -most)
		return -most;
	return value;
}
