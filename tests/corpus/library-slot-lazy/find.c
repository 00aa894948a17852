/* SPDX-License-Identifier: MIT */
#include <string.h>

int find(const char *text);
int never(const char *text);

/* Gives the target a slot for strchr that nobody has used. */
int never(const char *text)
{
	return strchr(text, '+') != NULL;
}

int find(const char *text)
{
	return text[0] == '-';
}
