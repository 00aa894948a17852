/* SPDX-License-Identifier: MIT */
/* What a table refers to stays in the program, though no code of it calls it by name. */
int scale = 12;
int scaled(int value);

int
scaled(int value)
{
	int result = 1;

	for (int i = 0; i < value; i++)
		result += scale;
	return result;
}

int (*const operations[])(int) = {scaled};
