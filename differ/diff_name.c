/* SPDX-License-Identifier: MIT */
#include "differ/diff_name.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

static int octal(char digit)
{
	return digit >= '0' && digit <= '7' ? digit - '0' : -1;
}

/* The byte behind a backslash (git's quote.c writes \a \b \t \n \v \f \r \" \\ and \OOO). */
static char escaped(const char **at, const char *end)
{
	static const char names[] = "abtnvfr", values[] = "\a\b\t\n\v\f\r";
	const char *known = strchr(names, **at);
	int value = 0;

	if (known && *known) {
		(*at)++;
		return values[known - names];
	}
	if (octal(**at) < 0)
		return *(*at)++;
	for (int digits = 0; digits < 3 && *at < end && octal(**at) >= 0; digits++)
		value = value * 8 + octal(*(*at)++);
	return (char)value;
}

/* Reads a name in double quotes; *used is the length with both quotes. */
static char *quoted_name(const char *text, size_t length, size_t *used)
{
	const char *at = text + 1, *end = text + length;
	_cleanup_free_ char *name = malloc(length + 1);
	size_t count = 0;

	if (!name)
		return NULL;
	while (at < end && *at != '"') {
		if (*at == '\\' && at + 1 < end) {
			at++;
			name[count++] = escaped(&at, end);
		} else {
			name[count++] = *at++;
		}
	}
	name[count] = '\0';
	*used = at < end ? (size_t)(at + 1 - text) : length;
	return vg_take(name);
}

static bool is_null_device(const char *name)
{
	return !strcmp(name, "/dev/null");
}

struct vg_error *vg_diff_name(const char *text, size_t length, char **name)
{
	_cleanup_free_ char *read = NULL;
	size_t used;

	if (length && text[0] == '"') {
		read = quoted_name(text, length, &used);
	} else {
		const char *tab = memchr(text, '\t', length); /* diff -u puts a timestamp there */

		read = strndup(text, tab ? (size_t)(tab - text) : length);
	}
	if (!read)
		return vg_error_no_memory();
	if (!is_null_device(read))
		*name = vg_take(read);
	return NULL;
}

/* Behind the first slash: what is the same in a/NAME and b/NAME. */
static const char *behind_prefix(const char *text, size_t length)
{
	const char *slash = memchr(text, '/', length);

	return slash ? slash + 1 : text;
}

/* An unquoted line splits where both halves name the same file; names may hold spaces. */
static size_t middle(const char *text, size_t length)
{
	for (size_t i = 1; i + 1 < length; i++) {
		const char *right = text + i + 1;
		size_t right_length = length - i - 1;

		if (text[i] != ' ')
			continue;

		const char *a = behind_prefix(text, i), *b = behind_prefix(right, right_length);
		size_t a_length = text + i - a, b_length = text + length - b;

		if (a_length == b_length && !memcmp(a, b, a_length))
			return i;
	}
	return 0;
}

struct vg_error *vg_diff_git_names(const char *text, size_t length, char **old_name,
				   char **new_name)
{
	size_t split;

	if (length && text[0] == '"') {
		*old_name = quoted_name(text, length, &split);
		if (!*old_name)
			return vg_error_no_memory();
	} else {
		const char *quote = memchr(text, '"', length);

		split = quote && quote > text ? (size_t)(quote - text - 1) : middle(text, length);
		if (!split)
			return NULL;
		*old_name = strndup(text, split);
		if (!*old_name)
			return vg_error_no_memory();
	}
	return split + 1 < length ? vg_diff_name(text + split + 1, length - split - 1, new_name)
				  : NULL;
}
