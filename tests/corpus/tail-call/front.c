/* SPDX-License-Identifier: MIT */
int front(int value);
int back(int value);

int front(int value)
{
	return back(value);
}

__attribute__((noinline)) int back(int value)
{
	return value * value;
}
