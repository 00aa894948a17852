/* SPDX-License-Identifier: MIT */
#include "split.h"

struct parts split(long value)
{
	struct parts parts = {
		.thousands = value / 1000,
		.rest = value % 1000,
	};

	return parts;
}
