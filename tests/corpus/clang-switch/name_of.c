/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

const char *name_of(int value);
const char *count(const char *text);

const char *name_of(int value)
{
	switch (value) {
	case 0:
		return "zero";
	case 1:
		return "one";
	case 2:
		return "two";
	case 3:
		return count("three");
	case 4:
		return getenv("FOUR");
	}
	return "many";
}

const char *count(const char *text)
{
	return text;
}
