/* SPDX-License-Identifier: MIT */
int read_low(const int *low);

int read_low(const int *low)
{
	return *low;
}
