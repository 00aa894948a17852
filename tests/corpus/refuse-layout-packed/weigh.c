/* SPDX-License-Identifier: MIT */
int weigh(int value);

struct parcel {
	char kind;
	int weight;
};

extern struct parcel parcel;
struct parcel parcel = {.kind = 'p', .weight = 100};

int weigh(int value)
{
	return parcel.weight * value;
}
