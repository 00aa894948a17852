/* SPDX-License-Identifier: MIT */
/*
 * vg_build(): from a request to a patch object on disk.
 *
 *   1. open the target: without a build-id nothing else is worth doing
 *   2. compile the units that the diff reaches, pre and post (differ/unit.h)
 *   3. read the objects; make the patch of what changed (differ/patch_build.h)
 *   4. write the file, whole
 */
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/error.h"
#include "common/patch_object.h"
#include "differ/build.h"
#include "differ/earlier.h"
#include "differ/patch_build.h"

const char *vg_build_word(enum vg_build_outcome outcome)
{
	static const char *const words[] = {
		[VG_BUILT] = "built",
		[VG_UNCHANGED] = "unchanged",
		[VG_BUILD_REFUSED] = "refused",
		[VG_BUILD_FAILED] = "failed",
	};

	return words[outcome];
}

static void clear_function(struct vg_built_function *function)
{
	free(function->name);
	free(function->file);
	for (size_t i = 0; i < function->part_count; i++)
		free(function->parts[i]);
	free(function->parts);
}

static void clear_reason(struct vg_reason *reason)
{
	free(reason->function);
	free(reason->file);
	free(reason->text);
}

void vg_build_result_clear(struct vg_build_result *result)
{
	for (size_t i = 0; i < result->function_count; i++)
		clear_function(&result->functions[i]);
	for (size_t i = 0; i < result->reason_count; i++)
		clear_reason(&result->reasons[i]);
	for (size_t i = 0; i < result->note_count; i++)
		free(result->notes[i]);
	free(result->functions);
	free(result->reasons);
	free(result->notes);
	free(result->build_id);
	free(result->temp);
	*result = (struct vg_build_result){0};
}

static struct vg_error *read_pair(struct vg_patch_build *build, const struct vg_unit *unit,
				  struct vg_pair *pair)
{
	pair->unit = unit;
	VG_TRY(vg_object_read(build->arena, unit->pre_object, unit->file, &pair->pre));
	VG_TRY(vg_object_read(build->arena, unit->post_object, unit->file, &pair->post));
	if (!unit->pre_object_plain)
		return NULL;
	return vg_object_read(build->arena, unit->pre_object_plain, unit->file, &pair->plain);
}

static struct vg_error *read_pairs(struct vg_patch_build *build, const struct vg_units *units)
{
	build->pairs = vg_arena_alloc(build->arena, units->count + 1, sizeof(*build->pairs));
	if (!build->pairs)
		return vg_error_no_memory();
	for (size_t i = 0; i < units->count; i++) {
		build->pair_count++;
		VG_TRY(read_pair(build, &units->units[i], &build->pairs[i]));
	}
	return NULL;
}

static void close_pairs(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->pair_count + build->left_out_count; i++) {
		vg_object_close(build->pairs[i].pre);
		vg_object_close(build->pairs[i].post);
		vg_object_close(build->pairs[i].plain);
		vg_object_close(build->pairs[i].lined);
	}
	for (size_t i = 0; i < build->elsewhere.count; i++) {
		vg_object_close(build->elsewhere.at[i]->pre);
		vg_object_close(build->elsewhere.at[i]->plain);
	}
}

static struct vg_error *build_from_units(struct vg_patch_build *build, const struct vg_units *units,
					 uint8_t **bytes, size_t *count)
{
	build->units = units;
	VG_TRY(vg_decoder_open(&build->decoder));
	build->units = units;
	build->matcher = (struct vg_matcher){
		.arena = build->arena, .decoder = build->decoder, .target = build->target};
	VG_TRY(vg_earlier_open(build));
	VG_TRY(read_pairs(build, units));
	for (size_t i = 0; i < units->note_count; i++)
		VG_TRY(vg_note(build, "%s", units->notes[i]));
	return vg_patch_build_run(build, bytes, count);
}

static struct vg_error *write_patch(struct vg_patch_build *build, const uint8_t *bytes,
				    size_t count)
{
	build->result->outcome = bytes ? VG_BUILT : VG_UNCHANGED;
	build->result->bytes = count;
	if (!bytes)
		return NULL;
	return vg_write_file_atomically(build->request->output, bytes, count);
}

struct vg_error *vg_build_from_units(const struct vg_build_request *request,
				     const struct vg_units *units, struct vg_target *target,
				     struct vg_arena *arena, struct vg_build_result *result)
{
	struct vg_patch_build build = {
		.arena = arena, .request = request, .result = result, .target = target};
	uint8_t *bytes = NULL;
	size_t count = 0;
	struct vg_error *error = build_from_units(&build, units, &bytes, &count);

	if (!error)
		error = write_patch(&build, bytes, count);
	result->match_ms += build.matcher.ms;
	free(bytes);
	close_pairs(&build);
	vg_earlier_close(&build);
	vg_decoder_close(build.decoder);
	return error;
}

static struct vg_error *note_build_id(const struct vg_target *target,
				      struct vg_build_result *result)
{
	result->build_id = malloc(2 * target->elf->build_id_bytes + 1);
	if (!result->build_id)
		return vg_error_no_memory();
	vg_build_id_text(target->elf->build_id, target->elf->build_id_bytes, result->build_id);
	return NULL;
}

static struct vg_error *check_request(const struct vg_build_request *request)
{
	if (!vg_patch_name_is_valid(request->name))
		return vg_error_new(VG_USAGE,
				    "\"%s\" cannot be the name of a patch: 1 to 63 letters, "
				    "digits and ._+-, not starting with . or -",
				    request->name);
	if (request->replace && (request->depend_count || request->depend_object_count))
		return vg_error_new(VG_USAGE,
				    "a patch that replaces all others (--replace) cannot depend on "
				    "one of them");
	return NULL;
}

static struct vg_error *timed_open(struct vg_arena *arena, const struct vg_build_request *request,
				   struct vg_target **target, struct vg_build_result *result)
{
	double start = vg_now_ms();
	struct vg_error *error = vg_target_open(arena, request->target, request->symbols, target);

	result->match_ms = vg_now_ms() - start;
	return error;
}

static struct vg_error *build_patch(const struct vg_build_request *request, struct vg_arena *arena,
				    struct vg_target **target, struct vg_build_result *result)
{
	struct vg_units units = {0};
	struct vg_error *error;

	VG_TRY(check_request(request));
	VG_TRY(timed_open(arena, request, target, result));
	VG_TRY(note_build_id(*target, result));
	error = vg_units_compile(request, &units);
	if (!error)
		error = vg_units_add_hooks(request, &units);
	if (!error)
		error = vg_build_from_units(request, &units, *target, arena, result);
	if (request->keep_temp && units.directory)
		result->temp = strdup(units.directory);
	vg_units_clear(&units, request->keep_temp);
	return error;
}

/* A sentence about a place begins with `FILE:LINE: `, as compilers write it. */
static void note_place(struct vg_reason *reason)
{
	size_t length = strcspn(reason->text ?: "", ": ");
	char *end;

	if (!length || reason->text[length] != ':' ||
	    !isdigit((unsigned char)reason->text[length + 1]))
		return;
	unsigned long line = strtoul(reason->text + length + 1, &end, 10);
	if (*end != ':' || line > UINT_MAX)
		return;
	reason->file = strndup(reason->text, length);
	reason->line = (unsigned)line;
}

/* A refusal by no rule (the diff does not apply, a unit does not compile) still is a reason. */
static void note_refusal(struct vg_build_result *result, const struct vg_error *error)
{
	struct vg_reason *reasons;

	if (vg_error_code(error) != VG_REFUSED || result->reason_count)
		return;
	reasons = calloc(1, sizeof(*reasons));
	if (!reasons)
		return;
	reasons->rule = vg_error_rule(error);
	reasons->text = strdup(vg_error_text(error));
	note_place(reasons);
	result->reasons = reasons;
	result->reason_count = reasons->text ? 1 : 0;
}

struct vg_error *vg_build(const struct vg_build_request *request, struct vg_build_result *result)
{
	struct vg_arena arena = {0};
	struct vg_target *target = NULL;
	double start = vg_now_ms();
	struct vg_error *error;

	*result = (struct vg_build_result){0};
	error = build_patch(request, &arena, &target, result);
	if (error)
		result->outcome =
			vg_error_code(error) == VG_REFUSED ? VG_BUILD_REFUSED : VG_BUILD_FAILED;
	note_refusal(result, error);
	result->ms = vg_now_ms() - start;
	vg_target_close(target);
	vg_arena_clear(&arena);
	return error;
}
