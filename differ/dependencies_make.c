/* SPDX-License-Identifier: MIT */
/* Dependency files: make(1) rules as gcc -MD and clang -MD write them. */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/dependencies.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A backslash at the end of a line continues the rule. */
static size_t continuation(const char *at)
{
	if (at[0] != '\\')
		return 0;
	if (at[1] == '\n')
		return 2;
	return at[1] == '\r' && at[2] == '\n' ? 3 : 0;
}

/* Behind the targets: the first colon that a blank or the end of a line follows. */
static const char *behind_targets(const char *at)
{
	for (; *at; at++)
		if (*at == ':' && (is_blank(at[1]) || at[1] == '\n' || continuation(at + 1)))
			return at + 1;
	return at;
}

/* One word; make's escapes are "\ " and "\#" and "$$", any other backslash is itself. */
static const char *read_word(const char *at, char *out)
{
	while (*at && !is_blank(*at) && *at != '\n' && *at != '\r' && !continuation(at)) {
		if (*at == '\\' && (is_blank(at[1]) || at[1] == '#'))
			at++;
		else if (*at == '$' && at[1] == '$')
			at++;
		*out++ = *at++;
	}
	*out = '\0';
	return at;
}

void vg_make_rule_parse(const char *text, struct vg_words *prerequisites)
{
	char *word = malloc(strlen(text) + 1);
	const char *at = behind_targets(text);

	if (!word) {
		prerequisites->failed = true;
		return;
	}
	while (*at && *at != '\n') {
		size_t skip = is_blank(*at) || *at == '\r' ? 1 : continuation(at);

		if (skip) {
			at += skip;
			continue;
		}
		at = read_word(at, word);
		vg_words_add(prerequisites, word);
	}
	free(word);
}
