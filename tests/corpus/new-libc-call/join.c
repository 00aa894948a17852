/* SPDX-License-Identifier: MIT */
#include <string.h>

size_t join(char *to, const char *first, const char *second);

size_t join(char *to, const char *first, const char *second)
{
	(void)first;
	(void)second;
	to[0] = '-';
	to[1] = '\0';
	return 0;
}
