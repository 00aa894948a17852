// SPDX-License-Identifier: MIT
/* The command line: words `name=value` with spaces between; what is not ours is left alone. */
#include "tests/guest/kernel.h"
#include "tests/guest/user.h"

bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* The value if `word` reads `name=…`, else NULL. */
static const char *value_of(const char *word, const char *name)
{
	while (*name && *word == *name)
		word++, name++;
	return !*name && *word == '=' ? word + 1 : NULL;
}

static const char *next_word(const char *word)
{
	while (*word && *word != ' ')
		word++;
	while (*word == ' ')
		word++;
	return word;
}

static void copy_word(char *to, const char *from, size_t size)
{
	size_t i;

	for (i = 0; i < size - 1 && from[i] && from[i] != ' '; i++)
		to[i] = from[i];
	to[i] = 0;
}

bool option_text_nth(const char *name, unsigned int n, char *value, size_t size)
{
	for (const char *word = kernel_command_line; *word; word = next_word(word)) {
		const char *found = value_of(word, name);

		if (found && n-- == 0) {
			copy_word(value, found, size);
			return true;
		}
	}
	return false;
}

bool option_text(const char *name, char *value, size_t size)
{
	return option_text_nth(name, 0, value, size);
}

static int digit_of(char c, unsigned int base)
{
	int digit = c >= '0' && c <= '9'		 ? c - '0'
		    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
							 : 99;

	return digit < (int)base ? digit : -1;
}

uint64_t parse_number(const char **text)
{
	unsigned int base = 10;
	uint64_t value = 0;

	if ((*text)[0] == '0' && (*text)[1] == 'x') {
		base = 16;
		*text += 2;
	}
	for (; digit_of(**text, base) >= 0; (*text)++)
		value = value * base + digit_of(**text, base);
	return value;
}

uint64_t option_number(const char *name, uint64_t fallback)
{
	char value[32];
	const char *text = value;

	return option_text(name, value, sizeof(value)) ? parse_number(&text) : fallback;
}
