/* SPDX-License-Identifier: MIT */
/*
 * A growing list of strings: command lines, notes, file lists. The list owns its strings and is
 * always NULL-terminated, so that it can be handed to posix_spawn(). A failed allocation is kept
 * in `failed` and asked for once, by vg_words_check(), when the list is complete.
 */
#ifndef DIFFER_COMPILE_WORDS_H
#define DIFFER_COMPILE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/error.h>

struct vg_words {
	char **items;
	size_t count;
	size_t capacity;
	bool failed;
};

void vg_words_add(struct vg_words *words, const char *word); /* copies */
void vg_words_take(struct vg_words *words, char *word);	     /* takes over; NULL: out of memory */
void vg_words_format(struct vg_words *words, const char *format, ...) VG_PRINTF(2, 3);
void vg_words_append(struct vg_words *words, const struct vg_words *more); /* copies */
bool vg_words_have(const struct vg_words *words, const char *word);
VG_MUST_CHECK struct vg_error *vg_words_check(const struct vg_words *words);
void vg_words_clear(struct vg_words *words);

/* As asprintf(), returning the string; NULL: out of memory. */
char *vg_format(const char *format, ...) VG_PRINTF(1, 2);

bool vg_starts_with(const char *string, const char *prefix);
bool vg_ends_with(const char *string, const char *suffix);
/* Words as C has them: identifiers. */
bool vg_is_word_character(int c);
bool vg_has_word(const char *text, size_t length, const char *word);

#endif
