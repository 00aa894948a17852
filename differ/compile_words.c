/* SPDX-License-Identifier: MIT */
#include "differ/compile_words.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

static bool grow(struct vg_words *words)
{
	if (words->count + 1 < words->capacity)
		return true;

	size_t capacity = words->capacity ? words->capacity * 2 : 16;
	char **items = reallocarray(words->items, capacity, sizeof(*items));

	if (!items)
		return false;
	words->items = items;
	words->capacity = capacity;
	return true;
}

void vg_words_take(struct vg_words *words, char *word)
{
	if (!word || !grow(words)) {
		free(word);
		words->failed = true;
		return;
	}
	words->items[words->count++] = word;
	words->items[words->count] = NULL;
}

void vg_words_add(struct vg_words *words, const char *word)
{
	vg_words_take(words, strdup(word));
}

void vg_words_format(struct vg_words *words, const char *format, ...)
{
	char *word = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&word, format, args) < 0)
		word = NULL;
	va_end(args);
	vg_words_take(words, word);
}

void vg_words_append(struct vg_words *words, const struct vg_words *more)
{
	for (size_t i = 0; i < more->count; i++)
		vg_words_add(words, more->items[i]);
	words->failed |= more->failed;
}

bool vg_words_have(const struct vg_words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++)
		if (!strcmp(words->items[i], word))
			return true;
	return false;
}

struct vg_error *vg_words_check(const struct vg_words *words)
{
	return words->failed ? vg_error_no_memory() : NULL;
}

void vg_words_clear(struct vg_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct vg_words){0};
}

char *vg_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

bool vg_starts_with(const char *string, const char *prefix)
{
	return !strncmp(string, prefix, strlen(prefix));
}

bool vg_ends_with(const char *string, const char *suffix)
{
	size_t length = strlen(string), end = strlen(suffix);

	return length >= end && !strcmp(string + length - end, suffix);
}

bool vg_is_word_character(int c)
{
	return isalnum((unsigned char)c) || c == '_';
}

bool vg_has_word(const char *text, size_t length, const char *word)
{
	size_t size = strlen(word);

	for (size_t i = 0; i + size <= length; i++)
		if (!memcmp(text + i, word, size) && (!i || !vg_is_word_character(text[i - 1])) &&
		    (i + size == length || !vg_is_word_character(text[i + size])))
			return true;
	return false;
}
