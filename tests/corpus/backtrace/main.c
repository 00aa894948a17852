/* SPDX-License-Identifier: MIT */
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>

#include "walk.h"

static void *caller;

/* 100 more where main() is not seen. */
int look(int value)
{
	void *frames[32];
	int count = backtrace(frames, 32);

	for (int i = 0; i < count; i++)
		if (frames[i] == caller)
			return value;
	return value + 100;
}

__attribute__((noinline)) static int ask(int value)
{
	caller = __builtin_return_address(0);
	return walk(value);
}

int main(void)
{
	void *frame;
	char line[64];

	backtrace(&frame, 1); /* loads libgcc */
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", ask(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
