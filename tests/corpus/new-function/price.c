/* SPDX-License-Identifier: MIT */
int price(int units);

int price(int units)
{
	return units * 7;
}
