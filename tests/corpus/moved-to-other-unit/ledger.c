/* SPDX-License-Identifier: MIT */
#include "account.h"

long total(long amount)
{
	return balance + amount;
}
