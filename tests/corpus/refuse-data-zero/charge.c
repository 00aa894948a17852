/* SPDX-License-Identifier: MIT */
int charge(int value);

static int balance;

int charge(int value)
{
	balance += value;
	return balance;
}
