/* SPDX-License-Identifier: MIT */
#include <setjmp.h>

int attempt(int value);
void fail(int value);

static jmp_buf back;

void fail(int value)
{
	longjmp(back, -value);
}

int attempt(int value)
{
	int code = setjmp(back);

	if (code)
		return 1000 + code;
	if (value < 0)
		fail(value);
	return value;
}
