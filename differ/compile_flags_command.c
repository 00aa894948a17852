/* SPDX-License-Identifier: MIT */
/* The command line of a unit in a shadow. */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_flags.h"

/* The path in a word of its own or behind its option: where it starts, or NULL. */
static const char *path_in(const char *before, const char *word)
{
	bool separate = false;

	if (before)
		vg_path_option(before, &separate);
	if (separate)
		return word;

	const char *prefix = vg_path_option(word, &separate);

	/* -include and -imacros are never joined; -isystem, -I and the others are */
	return prefix && word[strlen(prefix)] ? word + strlen(prefix) : NULL;
}

static bool is_system_path(const char *before, const char *word)
{
	return vg_starts_with(word, "-isystem") || vg_starts_with(word, "-idirafter") ||
	       (before && (!strcmp(before, "-isystem") || !strcmp(before, "-idirafter")));
}

static void add_mapped(struct vg_words *words, const struct vg_shadow *shadow, const char *word,
		       const char *path)
{
	if (path && vg_shadow_maps(shadow, path))
		vg_words_format(words, "%.*s%s%s", (int)(path - word), word, shadow->root, path);
	else
		vg_words_add(words, word);
}

/*
 * Prefix maps: gcc and clang's __FILE__ take the last one that fits. Ours turns the shadow's names
 * into the original ones; behind it the project's own once more, for the names as they are in the
 * shadow, because a name is mapped once only.
 */
static void add_prefix_maps(struct vg_words *words, const struct vg_compile_flags *flags,
			    const struct vg_shadow *shadow)
{
	vg_words_format(words, "-ffile-prefix-map=%s=", shadow->root);
	for (size_t i = 0; i < flags->prefix_maps.count; i++) {
		const char *map = flags->prefix_maps.items[i], *path = strchr(map, '=') + 1;

		vg_words_format(words, "%.*s%s%s", (int)(path - map), map, shadow->root, path);
	}
}

/* gcc takes the time from SOURCE_DATE_EPOCH (see compile_jobs.c), clang only from version 16 on. */
static void add_fixed_time(struct vg_words *words)
{
	vg_words_add(words, "-Wno-builtin-macro-redefined");
	vg_words_add(words, "-D__DATE__=\"Jan  1 1970\"");
	vg_words_add(words, "-D__TIME__=\"00:00:00\"");
}

/*
 * The name of the counters' file stands in the object, and -fprofile-use reads it: both compilers
 * derive it from -o, which is private here. gcc's file has a time stamp that the seed replaces.
 */
static void add_profile(struct vg_words *words, const struct vg_compile_flags *flags)
{
	const char *name = basename(flags->stem);

	if (flags->clang) {
		vg_words_add(words, "-Xclang");
		vg_words_format(words, "-coverage-data-file=%s.gcda", flags->stem);
		return;
	}
	vg_words_add(words, "-frandom-seed=0");
	vg_words_add(words, "-dumpdir");
	vg_words_format(words, "%.*s", (int)(name - flags->stem), flags->stem);
	vg_words_add(words, "-dumpbase");
	vg_words_format(words, "%s.c", name);
	vg_words_add(words, "-dumpbase-ext");
	vg_words_add(words, ".c");
}

static void add_kind(struct vg_words *words, const struct vg_compile_flags *flags,
		     enum vg_compile_kind kind)
{
	if (kind == VG_COMPILE_SCAN) {
		vg_words_add(words, "-M");
		return;
	}
	if (kind == VG_COMPILE_TEXT) {
		vg_words_add(words, "-E");
		return;
	}
	if (kind == VG_COMPILE_SECTIONS) {
		vg_words_add(words, "-ffunction-sections");
		vg_words_add(words, "-fdata-sections");
		if (!flags->debug)
			vg_words_add(words, "-g2");
		/* all types in one section, where they are looked for */
		vg_words_add(words, "-fno-debug-types-section");
	}
	vg_words_add(words, "-c");
}

struct vg_error *vg_compile_flags_command(const struct vg_compile_flags *flags,
					  const struct vg_shadow *shadow, enum vg_compile_kind kind,
					  const char *input, const char *output,
					  const char *dependencies, struct vg_words *words)
{
	bool system = false;

	for (size_t i = 0; i < flags->words.count; i++) {
		const char *before = i ? flags->words.items[i - 1] : NULL;
		const char *word = flags->words.items[i];

		if (i && i == flags->input)
			add_mapped(words, shadow, input ?: word, input ?: word);
		else
			add_mapped(words, shadow, word, i ? path_in(before, word) : NULL);
		system |= i && is_system_path(before, word);
	}
	/* gcc would name a system header by its real path, which is not the shadow's */
	if (system && !flags->clang)
		vg_words_add(words, "-fno-canonical-system-headers");
	if (flags->clang)
		add_fixed_time(words);
	if (flags->profile && kind != VG_COMPILE_SCAN)
		add_profile(words, flags);
	add_kind(words, flags, kind);
	add_prefix_maps(words, flags, shadow);
	vg_words_add(words, "-o");
	vg_words_add(words, output);
	if (dependencies) {
		vg_words_add(words, "-MD");
		vg_words_add(words, "-MF");
		vg_words_add(words, dependencies);
	}
	return vg_words_check(words);
}

struct vg_error *vg_compile_flags_forced(const struct vg_compile_flags *flags,
					 struct vg_words *files)
{
	for (size_t i = 1; i < flags->words.count; i++) {
		const char *before = flags->words.items[i - 1];

		if (!strcmp(before, "-include") || !strcmp(before, "-imacros"))
			vg_words_add(files, flags->words.items[i]);
	}
	return vg_words_check(files);
}
