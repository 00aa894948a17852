/* SPDX-License-Identifier: MIT */
int middle(int value);
int inner(int value);

int middle(int value)
{
	int more = inner(value);

	return more * 3;
}
