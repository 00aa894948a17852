/* SPDX-License-Identifier: MIT */
#include "tests/corpus/matrix.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "tests/corpus/run.h"

static const char *const compilers[] = {"gcc", "clang"};
static const char *const levels[] = {"-O0", "-O2", "-O3"};

void matrix_cell(unsigned cell, struct configuration *configuration, char *label,
		 size_t label_bytes)
{
	*configuration = (struct configuration){
		.cc = compilers[cell / 12],
		.level = levels[cell / 4 % 3],
		.type = (enum target_type)(cell % 4),
	};
	snprintf(label, label_bytes, "%s%s-%s", configuration->cc, configuration->level,
		 target_type_word(configuration->type));
}

static bool has_word(const char *list, const char *word)
{
	_cleanup_(arguments_clear) struct arguments words = {0};

	arguments_split(&words, list);
	for (size_t i = 0; i < words.count; i++)
		if (strcmp(words.words[i], word) == 0)
			return true;
	return false;
}

/* A library function that a static program does not have cannot be called by its patch. */
static bool is_excluded(const char *matrix, const struct configuration *configuration)
{
	const char *other = strcmp(configuration->cc, "gcc") == 0 ? "clang" : "gcc";

	return has_word(matrix, "no") ||
	       (has_word(matrix, other) && !has_word(matrix, configuration->cc)) ||
	       (has_word(matrix, "dynamic") && configuration->type == TYPE_STATIC) ||
	       (has_word(matrix, "relative") &&
		(configuration->type == TYPE_NOPIE || configuration->type == TYPE_STATIC)) ||
	       (has_word(matrix, "executable") && configuration->type == TYPE_SHARED) ||
	       (has_word(matrix, "optimised") && strcmp(configuration->level, "-O0") == 0);
}

bool matrix_has(const struct expect *expect, const struct configuration *configuration)
{
	return change_is_built(&expect->change) && !expect->pending &&
	       !is_excluded(expect->matrix, configuration);
}

/* FNV-1a: any hash that spreads well does. */
bool matrix_is_sampled(unsigned long seed, const char *program, unsigned cell, unsigned long rate)
{
	uint64_t hash = 0xcbf29ce484222325u;
	char text[512];

	snprintf(text, sizeof(text), "%lu %s %u", seed, program, cell);
	for (const char *c = text; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
	return (hash ^ hash >> 32) % rate == 0;
}
