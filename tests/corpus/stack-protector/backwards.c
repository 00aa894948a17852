/* SPDX-License-Identifier: MIT */
#include <string.h>

int backwards(const char *text);

int backwards(const char *text)
{
	char copy[32];
	size_t length = strlen(text) % sizeof(copy);

	for (size_t i = 0; i < length; i++)
		copy[length - 1 - i] = text[length - 1 - i];
	return length ? copy[0] : 0;
}
