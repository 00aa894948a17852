/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <string.h>

#include "differ/manifest.h"

#define MAX_WORD 255

static bool consists_of(const char *word, const char *more)
{
	size_t length = strlen(word);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)word[i]) && !strchr(more, word[i]))
			return false;
	return length && length <= MAX_WORD;
}

/* It becomes an argument of apt-get and ninja, and part of a path. */
bool vg_manifest_is_name(const char *word)
{
	return consists_of(word, "+-._~%") && isalnum((unsigned char)word[0]);
}

bool vg_manifest_is_version(const char *word)
{
	return consists_of(word, ".+-:~") && isdigit((unsigned char)word[0]);
}

bool vg_manifest_is_path(const char *word)
{
	if (!consists_of(word, "+-._~@,/") || word[0] == '/' || word[0] == '-')
		return false;
	for (const char *part = word; part; part = strchr(part, '/')) {
		part += *part == '/';
		size_t length = strcspn(part, "/");

		if (!length || (part[0] == '.' && length == 1) ||
		    (length == 2 && !strncmp(part, "..", 2)))
			return false;
	}
	return true;
}

bool vg_manifest_is_hex(const char *word, size_t least, size_t most)
{
	size_t length = strspn(word, "0123456789abcdef");

	return !word[length] && length >= least && length <= most && length % 2 == 0;
}
