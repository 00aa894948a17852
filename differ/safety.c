/* SPDX-License-Identifier: MIT */
#include "differ/safety.h"

#include <string.h>

#include "common/error.h"

static struct vg_error *read_types(struct vg_patch_build *build, struct vg_pair *pair)
{
	pair->pre_types = vg_arena_alloc(build->arena, 1, sizeof(*pair->pre_types));
	pair->post_types = vg_arena_alloc(build->arena, 1, sizeof(*pair->post_types));
	if (!pair->pre_types || !pair->post_types)
		return vg_error_no_memory();
	VG_TRY(vg_type_table_read(build->arena, pair->pre->path, pair->pre_types));
	VG_TRY(vg_type_table_read(build->arena, pair->post->path, pair->post_types));
	if (pair->pre_types->is_damaged || pair->post_types->is_damaged)
		return vg_refuse(build, VG_RULE_LAYOUT, NULL, vg_place_at(build, pair, "", 0),
				 "its debug information cannot be read, so the layouts of types "
				 "cannot be compared; compile with plain -g, or --allow layout if "
				 "the diff changes no type");
	if (pair->pre_types->has_debug_information && pair->post_types->has_debug_information)
		return NULL;
	return vg_note(build,
		       "%s: no debug information, so the layouts of types were not compared; "
		       "compile with -g",
		       pair->unit->file);
}

static struct vg_error *check_pair(struct vg_patch_build *build, struct vg_pair *pair)
{
	VG_TRY(vg_safety_check_types(build, pair, pair->pre_types, pair->post_types));
	return vg_safety_check_data(build, pair);
}

/* Relocations that -mcmodel=medium and large need beside -fPIC or -fPIE (x86-64 psABI, 3.5). */
static bool counts_from_got(const struct vg_line *line)
{
	for (unsigned i = 0; i < line->reference_count; i++)
		switch (line->references[i].type) {
		case R_X86_64_GOTPC32:
		case R_X86_64_GOTPC64:
		case R_X86_64_GOTOFF64:
		case R_X86_64_PLTOFF64:
		case R_X86_64_GOT64:
		case R_X86_64_GOTPLT64:
		case R_X86_64_GOTPCREL64:
			return true;
		default:
			break;
		}
	return false;
}

static struct vg_error *check_model(struct vg_patch_build *build, const struct vg_change *change)
{
	struct vg_source_place place = vg_place_of(build, change->pair, change->post);
	struct vg_listing *listing;

	VG_TRY(vg_listing_get(build->decoder, change->post, &listing));
	for (size_t i = 0; i < listing->count; i++)
		if (counts_from_got(&listing->lines[i]))
			return vg_error_new(
				VG_REFUSED,
				"%s:%u: %s is position-independent code of the medium or large "
				"code model, which counts addresses from the global offset table "
				"and cannot be patched yet; build %s with -mcmodel=small",
				place.file ?: change->pair->unit->file, place.line,
				change->post->source, build->target->elf->path);
	return NULL;
}

struct vg_error *vg_safety_check(struct vg_patch_build *build)
{
	/* First: every refusal names a line, which the types know. */
	for (size_t i = 0; i < build->pair_count; i++)
		VG_TRY(read_types(build, &build->pairs[i]));
	for (size_t i = 0; i < build->pair_count; i++)
		VG_TRY(check_pair(build, &build->pairs[i]));
	for (size_t i = 0; i < build->changes.count; i++) {
		VG_TRY(check_model(build, build->changes.at[i]));
		VG_TRY(vg_safety_check_endless(build, build->changes.at[i]));
		VG_TRY(vg_safety_check_labels(build, build->changes.at[i]));
	}
	return NULL;
}

/* .comment holds one string for each compiler that had a hand in the file. */
static bool has_string(const uint8_t *strings, size_t bytes, const char *wanted)
{
	for (size_t at = 0; at < bytes;) {
		size_t length = strnlen((const char *)strings + at, bytes - at);

		if (length == strlen(wanted) && !memcmp(strings + at, wanted, length))
			return true;
		at += length + 1;
	}
	return false;
}

static const char *made_by(const struct vg_object *object)
{
	for (size_t i = 1; i < object->section_count; i++) {
		const struct vg_object_section *section = &object->sections[i];
		size_t at = 0;

		if (strcmp(section->name, ".comment") || !section->data)
			continue;
		while (at < section->size && !section->data[at])
			at++;
		if (at < section->size && memchr(section->data + at, 0, section->size - at))
			return (const char *)section->data + at;
	}
	return NULL;
}

static struct vg_error *check_compiler(struct vg_patch_build *build, struct vg_pair *pair,
				       const uint8_t *strings, size_t bytes)
{
	const char *mine = made_by(pair->pre);

	if (!mine || has_string(strings, bytes, mine))
		return NULL;
	return vg_refuse(
		build, VG_RULE_COMPILER, NULL, vg_place_at(build, pair, "", 0),
		"it was compiled with \"%s\", but no such compiler made %s (\"%.*s\"); use "
		"the compiler of this build",
		mine, build->target->elf->path, (int)strnlen((const char *)strings, bytes),
		(const char *)strings);
}

static Elf_Data *comment_of(const struct vg_target *target)
{
	GElf_Shdr shdr;
	Elf_Scn *scn = vg_elf_section(target->elf, ".comment", &shdr);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;

	return data && data->d_buf ? data : NULL;
}

struct vg_error *vg_safety_check_compiler(struct vg_patch_build *build)
{
	Elf_Data *data = comment_of(build->target);

	if (!data)
		return vg_note(build,
			       "%s does not tell which compiler made it; only its code could be "
			       "compared",
			       build->target->elf->path);
	for (size_t i = 0; i < build->pair_count; i++)
		VG_TRY(check_compiler(build, &build->pairs[i], data->d_buf, data->d_size));
	return NULL;
}

/* "GCC: (Debian 12.2.0-14+deb12u1) 12.2.0", "Debian clang version 14.0.6" */
static bool is_gcc(const char *comment)
{
	return !strncmp(comment, "GCC:", 4);
}

static const char *version_of(const char *comment)
{
	const char *space = strrchr(comment, ' ');

	return space ? space + 1 : comment;
}

/*
 * The C library's start-up files are gcc's and leave its name in every program, so gcc beside clang
 * says nothing; clang beside gcc, or another version, does.
 */
static bool is_foreign(const char *comment, const char *mine)
{
	if (is_gcc(comment) != is_gcc(mine))
		return !is_gcc(comment) && strstr(comment, "clang");
	return strcmp(version_of(comment), version_of(mine));
}

struct vg_error *vg_safety_check_other_compiler(struct vg_patch_build *build, struct vg_pair *pair)
{
	Elf_Data *data = comment_of(build->target);
	const char *mine = made_by(pair->pre);

	if (!data || !mine)
		return NULL;
	for (size_t at = 0; at < data->d_size;) {
		const char *comment = (const char *)data->d_buf + at;
		size_t length = strnlen(comment, data->d_size - at);

		if (length && length < data->d_size - at && is_foreign(comment, mine))
			return vg_refuse(build, VG_RULE_COMPILER, NULL,
					 vg_place_at(build, pair, "", 0),
					 "it was compiled with \"%s\", and its code is not that of "
					 "%s, in which \"%s\" had a hand; use the compiler of this "
					 "build",
					 mine, build->target->elf->path, comment);
		at += length + 1;
	}
	return NULL;
}
