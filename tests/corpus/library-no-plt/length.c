/* SPDX-License-Identifier: MIT */
#include <string.h>

int length(const char *text);

int length(const char *text)
{
	return (int)strlen(text);
}
