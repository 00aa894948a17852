/* SPDX-License-Identifier: MIT */
struct ops {
	int (*read)(int value);
	int (*write)(int value);
};

int use(int value);

__attribute__((used)) static int read_one(int value)
{
	return value + 100;
}

__attribute__((used)) static int read_two(int value)
{
	return value + 200;
}

static int write_one(int value)
{
	return value - 100;
}

static const struct ops ops = {read_one, write_one};
static const struct ops *volatile device = &ops;

int use(int value)
{
	return value ? device->read(value) : device->write(value);
}
