/* SPDX-License-Identifier: MIT */
int mix(int value, int rounds);

int (*volatile mixer)(int value, int rounds);

__attribute__((noinline)) int mix(int value, int rounds)
{
	for (int i = 0; i < rounds; i++)
		value = value * 31 + (rounds > 3 ? value / 7 : value % 11);
	return value;
}

void choose_mixer(void);

__attribute__((noinline)) void choose_mixer(void)
{
	mixer = mix;
}
