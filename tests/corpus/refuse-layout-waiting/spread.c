/* SPDX-License-Identifier: MIT */
int spread(int value);

/* As large and as aligned with one member more, so that spread() comes out the same. */
struct range {
	int low;
	int high;
} __attribute__((aligned(16)));

static __attribute__((noinline)) int fill(volatile int *low, int value)
{
	volatile struct range range;

	range.low = *low = value;
	range.high = value * 2;
	return range.low + range.high;
}

int spread(int value)
{
	volatile struct range range;

	return fill(&range.low, value);
}
