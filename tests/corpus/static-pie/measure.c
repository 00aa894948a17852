/* SPDX-License-Identifier: MIT */
#include <string.h>

int measure(const char *text);

static const char *volatile words[] = {"first", "second"};

int measure(const char *text)
{
	return text[0] != words[0][0];
}
