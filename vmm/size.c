/* SPDX-License-Identifier: MIT */
#include "vmm/size.h"

#include <stddef.h>

/* Not strtoull(): that takes leading blanks, signs and "0x", and wraps negative numbers. */
static const char *digits_parse(const char *text, uint64_t *value)
{
	const char *at = text;

	for (*value = 0; *at >= '0' && *at <= '9'; at++) {
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*at - '0'), value))
			return NULL;
	}
	return at == text ? NULL : at;
}

/* How far a suffix shifts the number; negative when it is no suffix. */
static int suffix_shift(const char *suffix)
{
	if (*suffix == '\0')
		return 20; /* a plain number is MiB */
	if (suffix[1] != '\0')
		return -1;
	switch (*suffix) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	default:
		return -1;
	}
}

bool size_parse(const char *text, uint64_t *bytes)
{
	uint64_t value;
	const char *suffix = digits_parse(text, &value);
	int shift = suffix ? suffix_shift(suffix) : -1;

	if (shift < 0 || value == 0)
		return false;
	return !__builtin_mul_overflow(value, UINT64_C(1) << shift, bytes);
}

bool number_parse(const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
	const char *end = digits_parse(text, value);

	return end && *end == '\0' && *value >= low && *value <= high;
}
