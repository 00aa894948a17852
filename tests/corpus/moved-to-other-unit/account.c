/* SPDX-License-Identifier: MIT */
#include "account.h"

long balance = 7;

long pay(long amount)
{
	balance += amount;
	return balance;
}

long fee(long amount)
{
	return amount / 10;
}
