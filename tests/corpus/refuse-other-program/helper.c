/* SPDX-License-Identifier: MIT */
int add_provider(int number);

int add_provider(int number)
{
	if (number < 0)
		return -1;
	return number / 7;
}
