/* SPDX-License-Identifier: MIT */
#include "complain.h"

int complain(int value)
{
	return value;
}
