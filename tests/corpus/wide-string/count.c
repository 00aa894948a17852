/* SPDX-License-Identifier: MIT */
#include <wchar.h>

long count(const wchar_t *text);

long count(const wchar_t *text)
{
	const wchar_t *end = text;

	while (*end)
		end++;
	return end - text;
}
