/* SPDX-License-Identifier: MIT */
int ask(int value);
int tell(int value);
int step(int value);

static int long_way(int value)
{
	if (!value)
		return 0;

	int sum = 0;

	for (int i = 0; i < 3; i++) {
		sum += step(value);
		sum += step(sum) & 1;
		sum -= step(sum) & 1;
	}
	for (int i = 0; i < 4; i++)
		sum += step(value) + step(i) - i;
	return sum;
}

int ask(int value)
{
	return long_way(value);
}

int tell(int value)
{
	return long_way(value + 1);
}
