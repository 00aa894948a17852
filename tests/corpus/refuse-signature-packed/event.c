/* SPDX-License-Identifier: MIT */
int on_event(int value);

int on_event(int value)
{
	return value * value * 2;
}
