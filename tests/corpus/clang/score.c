/* SPDX-License-Identifier: MIT */
int score(int value);

static int weights[8] = {1, 2, 4, 8, 16, 32, 64, 128};
static int calls;

int score(int value)
{
	calls++;
	return weights[value & 7] * 4 + (calls ? 1 : 0);
}
