/* SPDX-License-Identifier: MIT */
int used(int value);
int dropped(int value);
extern int dropped_data;
int dropped_data = 5;

int dropped(int value)
{
	return value + dropped_data;
}

int used(int value)
{
	return value * value * value;
}
