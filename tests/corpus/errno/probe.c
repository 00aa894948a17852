/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <unistd.h>

int probe(int value);

int probe(int value)
{
	if (value)
		close(-1);
	return 0;
}
