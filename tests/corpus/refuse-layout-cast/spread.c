/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

int spread(int value);

struct range {
	int low;
	int high;
};

static void *volatile kept;

int spread(int value)
{
	if (!kept)
		kept = calloc(1, 64);
	((struct range *)kept)->low = value;
	((struct range *)kept)->high = value * 2;
	return ((struct range *)kept)->low + ((struct range *)kept)->high;
}
