/* SPDX-License-Identifier: MIT */
int ratio(int value);

int ratio(int value)
{
	volatile unsigned __int128 big = (unsigned __int128)(unsigned)value << 70;
	volatile unsigned __int128 small = (unsigned __int128)2 << 70;

	return (int)(big / small);
}
