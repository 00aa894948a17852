/* SPDX-License-Identifier: MIT */
int serve(int value);

int serve(int value)
{
	return value * value;
}
