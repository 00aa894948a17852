/* SPDX-License-Identifier: MIT */
__attribute__((visibility("protected"), noinline)) int guarded(int value);
int use(int value);

int guarded(int value)
{
	return value * value;
}

int use(int value)
{
	return guarded(value);
}
