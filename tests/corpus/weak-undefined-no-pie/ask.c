/* SPDX-License-Identifier: MIT */
int ask(int value);
__attribute__((weak)) int extension(int value);

int ask(int value)
{
	return value * value * value;
}
