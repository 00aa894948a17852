/* SPDX-License-Identifier: MIT */
int shared_count;
int bump(int value);

int bump(int value)
{
	shared_count += value;
	return shared_count;
}
