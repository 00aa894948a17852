/* SPDX-License-Identifier: MIT */
#include "account.h"

long turn(long amount)
{
	return pay(amount) * 100 + fee(amount);
}
