/* SPDX-License-Identifier: MIT */
/* The records of the patch object, and what the build reports of them. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/patch_object.h"
#include "differ/patch_build.h"

struct emission {
	struct vg_patch_build *build;
	const struct vg_image *image;
	struct vg_patch_writer *writer;
	uint32_t function_count;
	/* For each record, so that parts find their function. */
	VG_LIST(const struct vg_item *) functions;
};

static void cleanup_writer(struct vg_patch_writer **writer)
{
	vg_patch_writer_free(*writer);
}

static uint32_t string(struct emission *e, const char *text)
{
	return vg_patch_writer_string(e->writer, text ?: "");
}

static void emit_depends(struct emission *e, const char *patch)
{
	uint32_t name = string(e, patch);

	vg_patch_writer_add(e->writer, VGP_DEPENDS, &name, 1);
}

/* The object given is of a patch that --depends names too. */
static bool is_depended_on(const struct emission *e, size_t earlier)
{
	const struct vg_build_request *request = e->build->request;

	for (size_t i = 0; i < request->depend_count; i++)
		if (!strcmp(request->depends[i], vg_patch_name(e->build->earlier.at[earlier])))
			return true;
	return false;
}

static void emit_info(struct emission *e)
{
	const struct vg_build_request *request = e->build->request;
	struct vgp_info info = {
		.name = string(e, request->name),
		.cve = string(e, request->cve),
		.producer = string(e, e->build->pairs[0].unit->compiler),
	};

	vg_patch_writer_add(e->writer, VGP_INFO, &info, 1);
	for (size_t i = 0; i < request->depend_count; i++)
		emit_depends(e, request->depends[i]);
	for (size_t i = 0; i < e->build->earlier.count; i++)
		if (!is_depended_on(e, i))
			emit_depends(e, vg_patch_name(e->build->earlier.at[i]));
}

static void emit_module(struct emission *e)
{
	const struct vg_target *target = e->build->target;
	struct vgp_module module = {
		.name = string(e, target->name),
		.build_id_bytes = (uint16_t)target->elf->build_id_bytes,
	};

	if (target->is_executable)
		module.flags |= VGP_MODULE_EXECUTABLE;
	if (target->is_fixed)
		module.flags |= VGP_MODULE_FIXED;
	memcpy(module.build_id, target->elf->build_id, target->elf->build_id_bytes);
	vg_patch_writer_add(e->writer, VGP_MODULES, &module, 1);
}

static void emit_segments(struct emission *e)
{
	const struct vg_image *image = e->image;
	struct vgp_segment text = {
		.kind = VGP_TEXT,
		.align = image->text_align,
		.memory_bytes = image->text_bytes,
		.content_bytes = image->text_bytes,
	};
	struct vgp_segment data = {
		.kind = VGP_DATA,
		.align = image->data_align,
		.memory_bytes = image->data_bytes,
		.content_bytes = image->data_content_bytes,
	};

	text.content_offset = vg_patch_writer_contents(e->writer, image->text, image->text_bytes);
	vg_patch_writer_add(e->writer, VGP_SEGMENTS, &text, 1);
	if (!image->data_bytes)
		return;
	data.content_offset =
		vg_patch_writer_contents(e->writer, image->data, image->data_content_bytes);
	vg_patch_writer_add(e->writer, VGP_SEGMENTS, &data, 1);
}

static void emit_function(struct emission *e, struct vg_item *post, const struct vg_pair *pair,
			  const struct vg_piece *piece, const struct vg_change *change)
{
	struct vgp_function function = {
		.name = string(e, post->source),
		.symbol = string(e, post->name),
		.file = string(e, pair->unit->file),
		.kind = change ? VGP_CHANGED : VGP_NEW,
		.new_offset = piece->offset,
		.new_bytes = (uint32_t)piece->size,
	};

	if (change) {
		const uint8_t *entry = vg_target_bytes(e->build->target, change->match->address,
						       change->entry_bytes);

		function.entry_bytes = change->entry_bytes;
		function.displaced_offset = change->displaced->offset;
		function.old_address = change->match->address;
		function.old_bytes = (uint32_t)change->match->bytes;
		if (entry)
			memcpy(function.entry, entry, change->entry_bytes);
	}
	vg_patch_writer_add(e->writer, VGP_FUNCTIONS, &function, 1);
	e->function_count++;
}

static const struct vg_change *change_of(const struct vg_patch_build *build,
					 const struct vg_item *post)
{
	for (size_t i = 0; i < build->changes.count; i++)
		if (build->changes.at[i]->post == post)
			return build->changes.at[i];
	return NULL;
}

/* The function of the patch that a part of the post object belongs to; SIZE_MAX: it has none. */
static size_t parent_index(const struct emission *e, const struct vg_item *part)
{
	for (size_t i = 0; i < e->functions.count; i++)
		if (vg_part_belongs_to(part, e->functions.at[i]))
			return i;
	return SIZE_MAX;
}

static struct vg_error *emit_functions(struct emission *e)
{
	struct vg_patch_build *build = e->build;

	for (int parts = 0; parts < 2; parts++)
		for (size_t i = 0; i < build->pieces.count; i++) {
			struct vg_piece *piece = build->pieces.at[i];

			if (piece->kind != (parts ? VG_PIECE_PART : VG_PIECE_FUNCTION) ||
			    (parts && parent_index(e, piece->item) != SIZE_MAX))
				continue;
			emit_function(e, piece->item, piece->pair, piece,
				      change_of(build, piece->item));
			if (!vg_list_push(build->arena, &e->functions, piece->item))
				return vg_error_no_memory();
		}
	return NULL;
}

/* `pre` and `piece` may be NULL: the old or the new code has no such piece. */
static void emit_part(struct emission *e, size_t function, const char *name,
		      const struct vg_item *pre, const struct vg_piece *piece)
{
	struct vgp_part part = {.function = (uint32_t)function, .name = string(e, name)};

	if (pre) {
		part.old_address = pre->match->address;
		part.old_bytes = (uint32_t)pre->match->bytes;
	}
	if (piece) {
		part.new_offset = piece->offset;
		part.new_bytes = (uint32_t)piece->size;
	}
	vg_patch_writer_add(e->writer, VGP_PARTS, &part, 1);
}

static bool is_matched(const struct vg_item *item)
{
	return item && item->match && item->match->found;
}

/* The first function of the patch that the piece of old code belongs to. */
static size_t owner_of_old(const struct emission *e, const struct vg_item *part)
{
	for (size_t i = 0; i < e->functions.count; i++)
		if (e->functions.at[i]->twin && vg_part_belongs_to(part, e->functions.at[i]->twin))
			return i;
	return SIZE_MAX;
}

static void emit_parts(struct emission *e)
{
	struct vg_patch_build *build = e->build;

	for (size_t i = 0; i < build->pieces.count; i++) {
		struct vg_piece *piece = build->pieces.at[i];
		const struct vg_item *old;
		size_t function;

		if (piece->kind != VG_PIECE_PART)
			continue;
		function = parent_index(e, piece->item);
		old = is_matched(piece->item->twin) ? piece->item->twin : NULL;
		if (function != SIZE_MAX)
			emit_part(e, function, old ? old->name : piece->item->name, old, piece);
	}
	/* What only the old code had: threads may still be in it. */
	for (size_t i = 0; i < e->functions.count; i++) {
		const struct vg_item *pre = e->functions.at[i]->twin;

		for (size_t k = 0; pre && k < pre->object->item_count; k++) {
			struct vg_item *part = pre->object->items[k];

			if (owner_of_old(e, part) == i && is_matched(part) &&
			    !(part->twin && part->twin->piece))
				emit_part(e, i, part->name, part, NULL);
		}
	}
}

static void emit_imports(struct emission *e)
{
	for (size_t i = 0; i < e->build->imports.count; i++) {
		const struct vg_import *known = &e->build->imports.at[i];
		struct vgp_import import = {
			.name = string(e, known->name),
			.soname = string(e, known->soname),
			.version = string(e, known->version),
			.flags = known->flags,
			.slot = known->slot,
		};

		vg_patch_writer_add(e->writer, VGP_IMPORTS, &import, 1);
	}
}

static void emit_relocs(struct emission *e)
{
	for (size_t i = 0; i < e->image->relocs.count; i++) {
		struct vgp_reloc reloc = e->image->relocs.at[i];

		reloc.name = string(e, e->image->names.at[i]);
		vg_patch_writer_add(e->writer, VGP_RELOCS, &reloc, 1);
	}
}

static void emit_variables(struct emission *e)
{
	for (size_t i = 0; i < e->build->pieces.count; i++) {
		const struct vg_piece *piece = e->build->pieces.at[i];
		struct vgp_variable variable;

		if (piece->kind == VG_PIECE_UNWIND) {
			struct vgp_unwind unwind = {.offset = piece->offset,
						    .bytes = (uint32_t)piece->size};

			vg_patch_writer_add(e->writer, VGP_UNWIND, &unwind, 1);
		}
		if (piece->kind != VG_PIECE_VARIABLE)
			continue;
		variable = (struct vgp_variable){
			.name = string(e, piece->item->base),
			.file = string(e, piece->pair->unit->file),
			.segment = 1,
			.offset = piece->offset,
			.bytes = (uint32_t)piece->size,
		};
		vg_patch_writer_add(e->writer, VGP_VARIABLES, &variable, 1);
	}
}

static void emit_hooks(struct emission *e)
{
	for (size_t i = 0; i < e->build->hooks.count; i++) {
		struct vgp_hook hook;
		const char *name;

		vg_hook_record(e->build->hooks.at[i], &hook, &name);
		hook.name = string(e, name);
		vg_patch_writer_add(e->writer, VGP_HOOKS, &hook, 1);
	}
}

static void emit_shadows(struct emission *e)
{
	struct vgp_shadow_table table;

	if (!e->build->shadows)
		return;
	vg_shadows_record(e->build, &table);
	vg_patch_writer_add(e->writer, VGP_SHADOWS, &table, 1);
}

static uint16_t header_flags(const struct vg_patch_build *build)
{
	uint16_t flags = build->flags;

	if (!build->request->replace)
		return flags;
	flags |= VGP_REPLACE;
	return vg_is_allowed(build, VG_RULE_SHADOW) ? flags | VGP_DROPS_SHADOWS : flags;
}

static bool report_part(struct vg_built_function *function, const char *name)
{
	char **parts = realloc(function->parts, (function->part_count + 1) * sizeof(*parts));

	if (!parts)
		return false;
	function->parts = parts;
	parts[function->part_count] = strdup(name);
	return parts[function->part_count++];
}

static bool report_parts(const struct emission *e, struct vg_built_function *function, size_t index)
{
	for (size_t i = 0; i < e->build->pieces.count; i++) {
		const struct vg_piece *piece = e->build->pieces.at[i];

		if (piece->kind == VG_PIECE_PART && parent_index(e, piece->item) == index &&
		    !report_part(function, piece->item->name))
			return false;
	}
	return true;
}

static struct vg_error *report_functions(struct emission *e)
{
	struct vg_build_result *result = e->build->result;

	result->functions = calloc(e->functions.count + 1, sizeof(*result->functions));
	if (!result->functions)
		return vg_error_no_memory();
	for (size_t i = 0; i < e->functions.count; i++) {
		const struct vg_item *item = e->functions.at[i];
		struct vg_built_function *function = &result->functions[i];

		result->function_count++;
		function->name = strdup(item->source);
		function->file = strdup(item->object->file);
		function->is_new = !change_of(e->build, item);
		function->bytes = (uint32_t)item->size;
		if (!function->name || !function->file || !report_parts(e, function, i))
			return vg_error_no_memory();
	}
	return NULL;
}

struct vg_error *vg_emit(struct vg_patch_build *build, const struct vg_image *image,
			 uint8_t **bytes, size_t *count)
{
	_cleanup_(cleanup_writer) struct vg_patch_writer *writer = vg_patch_writer_new();
	struct emission e = {.build = build, .image = image, .writer = writer};

	if (!writer)
		return vg_error_no_memory();
	emit_info(&e);
	emit_module(&e);
	emit_segments(&e);
	VG_TRY(emit_functions(&e));
	emit_parts(&e);
	emit_imports(&e);
	emit_relocs(&e);
	emit_variables(&e);
	emit_hooks(&e);
	emit_shadows(&e);
	VG_TRY(vg_patch_writer_finish(writer, header_flags(build), bytes, count));
	return report_functions(&e);
}
