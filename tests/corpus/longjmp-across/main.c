/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

int middle(int value);
int inner(int value);

static jmp_buf outside;

__attribute__((noinline)) int inner(int value)
{
	if (value < 0)
		longjmp(outside, -value);
	return value;
}

static int ask(int value)
{
	int code = setjmp(outside);

	return code ? 1000 + code : middle(value);
}

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int value = atoi(line);
		int there = ask(value), back = ask(-value);

		printf("%d %d\n", there, back);
		fflush(stdout);
	}
	return 0;
}
