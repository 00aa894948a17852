/* SPDX-License-Identifier: MIT */
int used(int value);
int dropped(int value);

static volatile int spare = 17;

/* Nothing calls it: the linker drops it, and the variable with it. */
int dropped(int value)
{
	return value + spare;
}

int used(int value)
{
	return value * value * value;
}
