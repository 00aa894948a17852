/* SPDX-License-Identifier: MIT */
int spread(int value);
int read_low(const int *low);

struct range {
	int low;
	int high;
};

int spread(int value)
{
	struct range range = {.low = value, .high = value * 2};

	return read_low(&range.low) + range.high;
}
