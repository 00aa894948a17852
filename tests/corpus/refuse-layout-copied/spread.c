/* SPDX-License-Identifier: MIT */
#include <string.h>

int spread(int value);

struct range {
	int low;
	int high;
};

static char kept[64];

int spread(int value)
{
	struct range range = {.low = value, .high = value * 2};

	memcpy(kept, &range, sizeof(range));
	return range.low + range.high + kept[63];
}
