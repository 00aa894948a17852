/* SPDX-License-Identifier: MIT */
/*
 * data: places inside a function that live data holds. They stay those of the old code, whose frame
 * the new code does not have, or the program never hears of those of the new code.
 *
 *   1. The address of a label (&&resume) that the old code has formed, as protothreads do: the new
 *      code would jump to it. A table of labels that code only jumps through comes with the patch.
 *   2. Records that inline assembler leaves in a section of their own (exception tables, static
 *      keys): whoever walks the section finds those of the target's code only.
 */
#include <string.h>

#include "common/error.h"
#include "differ/safety.h"

static bool is_branch(const struct vg_line *line)
{
	return line->instruction.branch_bytes;
}

/* The large code model finds itself so: `.L2: lea .L2(%rip), %r11`. */
static bool is_own_place(const struct vg_line *line, const struct vg_reference *reference)
{
	return reference->offset == (int64_t)line->instruction.address;
}

static bool forms_label(const struct vg_item *function, const struct vg_line *line)
{
	for (unsigned i = 0; !is_branch(line) && i < line->reference_count; i++)
		if (line->references[i].item == function && line->references[i].offset &&
		    !is_own_place(line, &line->references[i]))
			return true;
	return false;
}

static bool has_line(const struct vg_listing *listing,
		     bool (*accepts)(const struct vg_item *, const struct vg_line *))
{
	for (size_t i = 0; i < listing->count; i++)
		if (accepts(listing->item, &listing->lines[i]))
			return true;
	return false;
}

static bool jumps_anywhere(const struct vg_item *function, const struct vg_line *line)
{
	(void)function;
	return line->instruction.flow == VG_FLOW_JUMP_INDIRECT;
}

struct vg_error *vg_safety_check_labels(struct vg_patch_build *build, struct vg_change *change)
{
	struct vg_listing *pre, *post;

	VG_TRY(vg_listing_get(build->decoder, change->pre, &pre));
	VG_TRY(vg_listing_get(build->decoder, change->post, &post));
	if (!has_line(pre, forms_label) || !has_line(post, jumps_anywhere))
		return NULL;
	return vg_refuse(build, VG_RULE_DATA, change->post->source,
			 vg_place_of(build, change->pair, change->post),
			 "%s takes the address of a label (&&), which live data may hold, and its "
			 "new code would jump into the old; change what it calls instead, or "
			 "--allow data if no label is kept from one call to the next",
			 change->post->source);
}

/* What the compiler or the unwinder make use of themselves. */
static bool is_known_section(const struct vg_object_section *section)
{
	static const char *const names[] = {".eh_frame", ".gcc_except_table",
					    "__patchable_function_entries", "__mcount_loc"};

	if (section->type == SHT_NOTE || vg_section_is_code(section))
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strncmp(section->name, names[i], strlen(names[i])))
			return true;
	return false;
}

/*
 * The new function that it leads into, or NULL. Counted from the start of the section's data or
 * from the entry itself: either may be meant.
 */
static const struct vg_item *new_code_of(const struct vg_patch_build *build,
					 const struct vg_object_reloc *reloc)
{
	struct vg_item *to;
	int64_t offset;
	bool is_inside = vg_reloc_target(reloc, 0, &to, &offset) && vg_item_is_function(to) &&
			 offset > 0 && (uint64_t)offset < to->size;

	return is_inside && vg_is_included(build, to) ? to : NULL;
}

static struct vg_error *check_records(struct vg_patch_build *build, struct vg_pair *pair,
				      const struct vg_item *records)
{
	size_t count;
	const struct vg_object_reloc *relocs = vg_item_relocs(records, &count);

	for (size_t i = 0; i < count; i++) {
		const struct vg_item *function = new_code_of(build, &relocs[i]);

		if (!function)
			continue;
		return vg_refuse(build, VG_RULE_DATA, function->source,
				 vg_place_of(build, pair, function),
				 "the section %s has a record of a place inside %s, which is not "
				 "known of in the new code by what reads the section; change what "
				 "it calls instead, or --allow data if it can do without",
				 records->section->name, function->source);
	}
	return NULL;
}

struct vg_error *vg_safety_check_records(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->pair_count; i++) {
		struct vg_pair *pair = &build->pairs[i];

		for (size_t k = 0; k < pair->post->item_count; k++) {
			const struct vg_item *item = pair->post->items[k];

			/* what code refers to is compared and copied with it */
			if (item->section && !item->user_count && !item->piece &&
			    !is_known_section(item->section))
				VG_TRY(check_records(build, pair, item));
		}
	}
	return NULL;
}
