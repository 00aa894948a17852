/* SPDX-License-Identifier: MIT */
struct ops {
	int (*read)(int value);
	int (*write)(int value);
};

int use(int value);

static int read_one(int value)
{
	return value + 100;
}

static int write_one(int value)
{
	return value - 100;
}

static const volatile struct ops ops = {read_one, write_one};

int use(int value)
{
	return (value ? ops.read : ops.write)(value);
}
