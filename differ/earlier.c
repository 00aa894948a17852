/* SPDX-License-Identifier: MIT */
/*
 * Patches that this one builds upon (--depends-object): their fixes are in the source, but not in
 * the target.
 *
 *   1. Objects for another binary are refused; those for this one are named as dependencies.
 *   2. What they changed: its old code lies in the target where they say, and they have looked
 *      whether its entry can be armed. The new code that they brought must be what the source
 *      compiles to before the diff: it is compared, fields of relocations aside.
 *   3. What they brought (functions, variables) is reached by an import that is bound in their area
 *      when the patch is applied. It is not copied: a second copy of a variable would be another
 *      variable.
 *   4. Of what they brought nothing can be changed: it has no entry in the target.
 */
#include "differ/earlier.h"

#include <string.h>

#include "common/error.h"
#include "differ/listing.h"
#include "differ/match_check.h"
#include "differ/site.h"

static bool is_for_target(const struct vg_patch *patch, const struct vg_target *target)
{
	const struct vgp_module *module = &patch->modules[0];

	return patch->module_count == 1 && module->build_id_bytes == target->elf->build_id_bytes &&
	       !memcmp(module->build_id, target->elf->build_id, module->build_id_bytes);
}

static struct vg_error *open_one(struct vg_patch_build *build, const char *path)
{
	struct vg_patch *patch;

	VG_TRY(vg_patch_open(path, &patch));
	if (!vg_list_push(build->arena, &build->earlier, patch)) {
		vg_patch_free(patch);
		return vg_error_no_memory();
	}
	if (is_for_target(patch, build->target))
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "%s (patch %s) is not for %s; give the object that was built for "
			    "this target",
			    path, vg_patch_name(patch), build->target->elf->path);
}

struct vg_error *vg_earlier_open(struct vg_patch_build *build)
{
	const struct vg_build_request *request = build->request;

	for (size_t i = 0; i < request->depend_object_count; i++)
		VG_TRY(open_one(build, request->depend_objects[i]));
	return NULL;
}

void vg_earlier_close(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->earlier.count; i++)
		vg_patch_free(build->earlier.at[i]);
	build->earlier.count = 0;
}

/* A name of one file is another one's own; of an undefined item the file is not known. */
static bool is_of_file(const struct vg_item *item, const char *file)
{
	return !vg_item_is_local(item) || !strcmp(item->object->file, file);
}

/* The newest that has it, which is what the source has. */
static const struct vgp_function *find_function(const struct vg_patch_build *build,
						const struct vg_item *item,
						const struct vg_patch **patch)
{
	for (size_t p = build->earlier.count; item->name && p-- > 0;) {
		*patch = build->earlier.at[p];
		for (size_t i = 0; i < (*patch)->function_count; i++) {
			const struct vgp_function *function = &(*patch)->functions[i];

			if (!strcmp(vg_patch_string(*patch, function->symbol), item->name) &&
			    is_of_file(item, vg_patch_string(*patch, function->file)))
				return function;
		}
	}
	return NULL;
}

static const struct vgp_variable *find_variable(const struct vg_patch_build *build,
						const struct vg_item *item,
						const struct vg_patch **patch, size_t *count)
{
	const struct vgp_variable *found = NULL;

	*count = 0;
	for (size_t p = build->earlier.count; item->base && p-- > 0 && !found;) {
		*patch = build->earlier.at[p];
		for (size_t i = 0; i < (*patch)->variable_count; i++) {
			const struct vgp_variable *variable = &(*patch)->variables[i];

			if (strcmp(vg_patch_string(*patch, variable->name), item->base) != 0 ||
			    !is_of_file(item, vg_patch_string(*patch, variable->file)))
				continue;
			found = variable;
			++*count;
		}
		if (found)
			return found;
	}
	return NULL;
}

/* The new code of a function in an earlier object. */
struct code {
	const struct vg_patch *patch;
	const struct vgp_function *function;
	uint32_t segment; /* TEXT of its module */
	uint8_t *bytes;	  /* as if it lay at address 0, and the module where it was linked to */
};

/* The relocation that fills the field at this offset of the function; NULL: none. */
static const struct vgp_reloc *reloc_at(const struct code *code, uint64_t offset)
{
	for (size_t i = 0; i < code->patch->reloc_count; i++)
		if (code->patch->relocs[i].segment == code->segment &&
		    code->patch->relocs[i].offset == code->function->new_offset + offset)
			return &code->patch->relocs[i];
	return NULL;
}

static void relocate(struct code *code)
{
	for (size_t i = 0; i < code->patch->reloc_count; i++) {
		const struct vgp_reloc *reloc = &code->patch->relocs[i];
		uint64_t at = (uint64_t)reloc->offset - code->function->new_offset;
		unsigned width = vg_patch_reloc_bytes(reloc->type);
		int64_t value = reloc->addend;

		if (reloc->segment != code->segment || reloc->base != VGP_BASE_MODULE ||
		    at >= code->function->new_bytes || at + width > code->function->new_bytes)
			continue;
		if (reloc->type == VGP_PC32 || reloc->type == VGP_PC64)
			value -= (int64_t)at;
		memcpy(code->bytes + at, &value, width);
	}
}

static struct vg_error *read_code(struct vg_patch_build *build, struct code *code)
{
	const struct vgp_segment *text =
		vg_patch_segment(code->patch, code->function->module, VGP_TEXT);
	const uint8_t *contents =
		code->patch->contents + text->content_offset + code->function->new_offset;

	if ((uint64_t)code->function->new_offset + code->function->new_bytes > text->content_bytes)
		return NULL;
	code->segment = (uint32_t)(text - code->patch->segments);
	code->bytes = vg_arena_alloc(build->arena, code->function->new_bytes + 1, 1);
	if (!code->bytes)
		return vg_error_no_memory();
	memcpy(code->bytes, contents, code->function->new_bytes);
	relocate(code);
	return NULL;
}

/* What the code says about places in the target is as good as matched code there. */
static struct vg_error *note_sites(struct vg_patch_build *build, struct vg_item *pre,
				   const struct code *code, const struct vg_line *line,
				   const struct vg_site_value values[2])
{
	for (unsigned r = 0; r < line->reference_count; r++) {
		const struct vgp_reloc *reloc =
			reloc_at(code, line->instruction.address + line->references[r].field);

		if (values[r].is_known && reloc && reloc->base == VGP_BASE_MODULE)
			VG_TRY(vg_match_note_site(&build->matcher, pre->object, line, r, &values[r],
						  pre));
	}
	return NULL;
}

/* Step 2, comparing. */
static struct vg_error *compare(struct vg_patch_build *build, struct vg_item *pre,
				const struct vg_patch *patch, const struct vgp_function *function)
{
	struct code code = {.patch = patch, .function = function};
	struct vg_site_value values[2];
	struct vg_listing *listing;
	bool same;

	VG_TRY(read_code(build, &code));
	VG_TRY(vg_listing_get(build->decoder, pre, &listing));
	same = code.bytes && function->new_bytes == pre->size;
	for (size_t i = 0; same && i < listing->count; i++) {
		uint64_t at = listing->lines[i].instruction.address;

		same = vg_site_read(&listing->lines[i], vg_item_bytes(pre) + at, code.bytes + at,
				    at, values);
		if (same)
			VG_TRY(note_sites(build, pre, &code, &listing->lines[i], values));
	}
	if (same)
		return NULL;
	return vg_error_refuse(
		VG_RULE_MISMATCH,
		"%s: the source of %s before the diff is not what patch %s was built "
		"from; the source tree must have the fixes of all patches that are "
		"given with --depends-object",
		pre->object->file, pre->name, vg_patch_name(patch));
}

static struct vg_error *take_function(struct vg_patch_build *build, struct vg_item *pre)
{
	const struct vg_patch *patch;
	const struct vgp_function *function = find_function(build, pre, &patch);

	if (!function)
		return NULL;
	VG_TRY(compare(build, pre, patch, function));
	if (function->kind != VGP_CHANGED)
		return NULL;
	pre->match = vg_arena_alloc(build->arena, 1, sizeof(*pre->match));
	if (!pre->match)
		return vg_error_no_memory();
	*pre->match = (struct vg_match){
		.found = true, .address = function->old_address, .bytes = function->old_bytes};
	vg_explain(build, "%s: %s was changed by patch %s already; its old code is at 0x%llx",
		   pre->object->file, pre->name, vg_patch_name(patch),
		   (unsigned long long)function->old_address);
	return NULL;
}

/* Step 4. */
static struct vg_error *check_change(struct vg_patch_build *build, const struct vg_change *change)
{
	const struct vg_patch *patch;
	const struct vgp_function *function =
		change->pre ? find_function(build, change->pre, &patch) : NULL;

	if (!function || function->kind == VGP_CHANGED)
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "%s: %s came with patch %s and is changed by the diff, which a second "
			    "patch cannot do; build one patch of both fixes with --replace",
			    change->pair->unit->file, change->pre->name, vg_patch_name(patch));
}

struct vg_error *vg_earlier_check_changes(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->changes.count; i++)
		VG_TRY(check_change(build, build->changes.at[i]));
	return NULL;
}

struct vg_error *vg_earlier_take(struct vg_patch_build *build)
{
	for (size_t p = 0; build->earlier.count && p < build->pair_count; p++) {
		struct vg_object *pre = build->pairs[p].pre;

		for (size_t i = 0; i < pre->item_count; i++)
			if (vg_item_is_function(pre->items[i]) && !vg_item_is_part(pre->items[i]))
				VG_TRY(take_function(build, pre->items[i]));
	}
	return NULL;
}

static struct vg_error *import_from(struct vg_patch_build *build, const struct vg_patch *patch,
				    const char *name, const char *file, uint16_t flags,
				    struct vg_reach *reach)
{
	struct vg_import import = {.name = name,
				   .soname = vg_patch_name(patch),
				   .version = file,
				   .flags = flags | VGP_IMPORT_PATCH};

	reach->is_near = true;
	reach->how = vg_arena_printf(build->arena, "patch %s brought it", import.soname);
	return vg_import_add(build, import, reach);
}

/* Step 3. */
struct vg_error *vg_reach_earlier(struct vg_patch_build *build, const struct vg_item *post,
				  struct vg_reach *reach)
{
	const struct vg_patch *patch;
	const struct vgp_function *function = find_function(build, post, &patch);
	const struct vgp_variable *variable;
	size_t count;

	if (function && (post->kind == VG_ITEM_FUNCTION || post->kind == VG_ITEM_UNDEFINED)) {
		if (function->kind == VGP_NEW)
			return import_from(build, patch, vg_patch_string(patch, function->symbol),
					   vg_patch_string(patch, function->file),
					   VGP_IMPORT_FUNCTION, reach);
		reach->has_address = true;
		reach->address = function->old_address;
		reach->how = "an earlier patch changed it there";
		return NULL;
	}
	if (post->kind != VG_ITEM_VARIABLE && post->kind != VG_ITEM_UNDEFINED)
		return NULL;
	variable = find_variable(build, post, &patch, &count);
	if (!variable)
		return NULL;
	if (count > 1)
		return vg_error_refuse(VG_RULE_AMBIGUOUS,
				       "%s: patch %s brought %zu variables called %s; which one is "
				       "meant cannot be told",
				       post->object->file, vg_patch_name(patch), count, post->base);
	return import_from(build, patch, vg_patch_string(patch, variable->name),
			   vg_patch_string(patch, variable->file), 0, reach);
}

bool vg_earlier_is_taken(const struct vg_item *pre)
{
	return pre->match && pre->match->found && !pre->match->item;
}
