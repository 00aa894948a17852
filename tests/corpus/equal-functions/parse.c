/* SPDX-License-Identifier: MIT */
int parse_length(int value);
int parse_offset(int value);

/* The compiler makes one function of these two. */
static __attribute__((noinline)) int check_length(int value)
{
	int sum = 0;

	for (int i = 0; i < value; i++)
		sum = sum * 3 + i;
	return sum;
}

static __attribute__((noinline)) int check_offset(int value)
{
	int sum = 0;

	for (int i = 0; i < value; i++)
		sum = sum * 3 + i;
	return sum;
}

int parse_length(int value)
{
	return check_length(value) + 1;
}

int parse_offset(int value)
{
	return check_offset(value) + 2;
}
