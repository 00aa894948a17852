/* SPDX-License-Identifier: MIT */
#include <wchar.h>

int letters(int value);
long count(const wchar_t *text);

int letters(int value)
{
	return (int)count(L"0123456789") * value;
}
