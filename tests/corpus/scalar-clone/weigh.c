/* SPDX-License-Identifier: MIT */
struct box {
	int unused[10];
	int width, height;
};

int total(int value);
int spread(int value);

static __attribute__((noinline)) int weigh(const struct box *box)
{
	return spread(box->width) * box->height + spread(box->height);
}

int total(int value)
{
	struct box box = {.width = value, .height = value * 2};

	return weigh(&box);
}
