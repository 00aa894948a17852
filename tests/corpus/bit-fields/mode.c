/* SPDX-License-Identifier: MIT */
#include "mode.h"

struct mode mode = {.rest = 7};

void set_mode(unsigned level)
{
	mode.level = level;
	mode.on = 1;
	mode.rest = 9;
}
