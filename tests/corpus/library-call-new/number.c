/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

int number(const char *text);

int number(const char *text)
{
	return text[0] ? (text[1] ? 2 : 1) : 0;
}
