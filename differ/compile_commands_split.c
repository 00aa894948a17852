/* SPDX-License-Identifier: MIT */
/*
 * Words of a shell-quoted command line. The shell's quoting (POSIX 2.2.1 to 2.2.3) without its
 * expansions: a compdb records the command as it was run, after them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/compile_commands.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* In double quotes a backslash is special before these only. */
static bool is_escapable(char c)
{
	return c == '"' || c == '\\' || c == '$' || c == '`';
}

static const char *read_double_quoted(const char *at, char **out)
{
	while (*at && *at != '"') {
		if (*at == '\\' && is_escapable(at[1]))
			at++;
		*(*out)++ = *at++;
	}
	return *at ? at + 1 : at;
}

static const char *read_single_quoted(const char *at, char **out)
{
	while (*at && *at != '\'')
		*(*out)++ = *at++;
	return *at ? at + 1 : at;
}

static const char *read_word(const char *at, char *out)
{
	while (*at && !is_space(*at)) {
		if (*at == '"') {
			at = read_double_quoted(at + 1, &out);
		} else if (*at == '\'') {
			at = read_single_quoted(at + 1, &out);
		} else {
			if (*at == '\\' && at[1])
				at++;
			*out++ = *at++;
		}
	}
	*out = '\0';
	return at;
}

void vg_command_split(const char *text, struct vg_words *words)
{
	char *word = malloc(strlen(text) + 1);

	if (!word) {
		words->failed = true;
		return;
	}
	while (is_space(*text))
		text++;
	while (*text) {
		text = read_word(text, word);
		vg_words_add(words, word);
		while (is_space(*text))
			text++;
	}
	free(word);
}
