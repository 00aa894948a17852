/* SPDX-License-Identifier: MIT */
#include <stdio.h>

const char *digits(int value);

const char *digits(int value)
{
	static char text[32];

	snprintf(text, sizeof(text), "%d", value);
	return text;
}
