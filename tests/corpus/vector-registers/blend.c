/* SPDX-License-Identifier: MIT */
#include "blend.h"

four blend(four a, four b)
{
	return a + b;
}
