/* SPDX-License-Identifier: MIT */
/*
 * How the patch refers to what the new code uses. In this order:
 *
 *   0. what earlier patches changed or brought is what they say (earlier.c);
 *   1. what exists in the target is the target's: functions (also changed ones, whose entry leads
 *      to the newest code, so that pointers compare equal), variables, and constants that are
 *      the same as before. Its address is read from matched code that uses it; the symbol table
 *      must not contradict. Without such code the symbol table decides.
 *   2. what only the new code has comes with the patch.
 *   3. what neither has is of a unit that the diff does not reach, which is compiled to find it;
 *   4. or of another module: through the target's own PLT or GOT, or an import.
 */
#include <string.h>

#include "common/error.h"
#include "differ/earlier.h"
#include "differ/patch_build.h"

/* Code that uses an item is matched only for its sake; more of it says nothing new. */
#define MAX_USERS_TO_MATCH 32

static struct vg_error *contradiction(struct vg_patch_build *build, const struct vg_item *item,
				      uint64_t one, uint64_t other)
{
	return vg_error_refuse(VG_RULE_AMBIGUOUS,
			       "%s: %s has more than one place in %s by the code that uses it: "
			       "0x%llx and 0x%llx; give --symbols",
			       item->object->file, vg_item_text(item), build->target->elf->path,
			       (unsigned long long)one, (unsigned long long)other);
}

static struct vg_error *take_address(struct vg_patch_build *build, const struct vg_item *item,
				     uint64_t address, struct vg_reach *reach)
{
	if (reach->has_address && reach->address != address)
		return contradiction(build, item, reach->address, address);
	reach->has_address = true;
	reach->address = address;
	return NULL;
}

/* The word in the file: what a slot holds that no dynamic relocation fills. */
static bool read_word(const struct vg_target *target, uint64_t address, uint64_t *word)
{
	const uint8_t *bytes = vg_target_bytes(target, address, 8);

	if (bytes)
		memcpy(word, bytes, 8);
	return bytes;
}

static struct vg_error *take_slot(struct vg_patch_build *build, const struct vg_item *item,
				  uint64_t address, struct vg_reach *reach)
{
	const struct vg_slot *slot = vg_target_slot(build->target, address);
	uint64_t word;

	reach->has_slot = true;
	reach->slot = address;
	if (slot && slot->type == R_X86_64_RELATIVE)
		return take_address(build, item, (uint64_t)slot->addend, reach);
	if (slot || !build->target->is_fixed || !read_word(build->target, address, &word))
		return NULL;
	if (!vg_target_has(build->target, word))
		return NULL;
	return take_address(build, item, word, reach);
}

static struct vg_error *take_call(struct vg_patch_build *build, const struct vg_item *item,
				  uint64_t target, struct vg_reach *reach)
{
	if (vg_target_plt(build->target, target)) {
		reach->has_call = true;
		reach->call = target;
		return NULL;
	}
	return take_address(build, item, target, reach);
}

static struct vg_error *take_offset(struct vg_patch_build *build, const struct vg_item *item,
				    uint64_t value, bool *has, int64_t *offset)
{
	if (*has && *offset != (int64_t)value)
		return contradiction(build, item, (uint64_t)*offset, value);
	*has = true;
	*offset = (int64_t)value;
	return NULL;
}

static struct vg_error *take_site(struct vg_patch_build *build, const struct vg_item *item,
				  const struct vg_site *site, struct vg_reach *reach)
{
	switch (site->kind) {
	case VG_SITE_ADDRESS:
		return take_address(build, item, site->value, reach);
	case VG_SITE_CALL:
		return take_call(build, item, site->value, reach);
	case VG_SITE_SLOT:
		return take_slot(build, item, site->value, reach);
	case VG_SITE_TPOFF:
		return take_offset(build, item, site->value, &reach->has_tpoff, &reach->tpoff);
	case VG_SITE_DTPOFF:
		return take_offset(build, item, site->value, &reach->has_dtpoff, &reach->dtpoff);
	case VG_SITE_TLS_PAIR:
		reach->has_tls_pair = true;
		reach->tls_pair = site->value;
		return NULL;
	case VG_SITE_TLS_MODULE:
		return NULL;
	case VG_SITE_TLS_DESCRIPTOR:
		reach->has_tls_descriptor = true;
		reach->tls_descriptor = site->value;
		return NULL;
	}
	return NULL;
}

static struct vg_error *take_sites(struct vg_patch_build *build, const struct vg_item *item,
				   struct vg_reach *reach)
{
	for (const struct vg_site *site = item->sites; site; site = site->next)
		VG_TRY(take_site(build, item, site, reach));
	if (item->sites)
		reach->how = "matched code that uses it";
	return NULL;
}

/* Matches code that refers to the item until some says where it is. */
static struct vg_error *seek_sites(struct vg_patch_build *build, struct vg_pair *pair,
				   struct vg_item *item)
{
	size_t tried = 0;

	if (item->sites || item->sites_are_sought)
		return NULL;
	item->sites_are_sought = true;
	for (size_t i = 0; i < item->user_count && !item->sites; i++) {
		struct vg_match *match;

		if (!vg_item_is_function(item->users[i]) || tried++ == MAX_USERS_TO_MATCH)
			continue;
		VG_TRY(vg_match_old(build, pair, item->users[i], &match));
	}
	return NULL;
}

static struct vg_error *match_itself(struct vg_patch_build *build, struct vg_pair *pair,
				     struct vg_item *item, struct vg_reach *reach)
{
	struct vg_match *match;

	VG_TRY(vg_match_old(build, pair, item, &match));
	if (!match->found)
		return NULL;
	reach->how = "its own matched code";
	return take_address(build, item, match->address, reach);
}

static bool is_thread_local_known(const struct vg_reach *reach)
{
	return reach->has_tpoff || reach->has_dtpoff || reach->has_tls_pair ||
	       reach->has_tls_descriptor;
}

static bool is_reached(const struct vg_reach *reach)
{
	return reach->has_address || reach->has_call || reach->has_slot ||
	       is_thread_local_known(reach);
}

/* Calls alone do not tell a function's address when they go through the PLT. */
static bool is_known_enough(const struct vg_item *item, const struct vg_reach *reach)
{
	return reach->has_address || is_thread_local_known(reach) ||
	       (item->kind == VG_ITEM_UNDEFINED && is_reached(reach));
}

struct vg_error *vg_reach_old(struct vg_patch_build *build, struct vg_pair *pair,
			      struct vg_item *pre, struct vg_reach *reach)
{
	VG_TRY(take_sites(build, pre, reach));
	if (!is_known_enough(pre, reach) && vg_item_is_function(pre))
		VG_TRY(match_itself(build, pair, pre, reach));
	if (!is_known_enough(pre, reach)) {
		VG_TRY(seek_sites(build, pair, pre));
		VG_TRY(take_sites(build, pre, reach));
	}
	if (reach->has_address && pre->name && !vg_item_is_nameless(pre))
		return vg_reach_check(build, pre, reach->address);
	if (is_known_enough(pre, reach) || !pre->name)
		return NULL;
	return vg_reach_symbol(build, pre, reach);
}

/* Tables of places inside a function belong to the copy of the function that jumps through them. */
static bool has_label_of_function(const struct vg_item *item)
{
	size_t count;
	const struct vg_object_reloc *relocs = vg_item_relocs(item, &count);
	int64_t offset, distance;
	struct vg_item *to;

	for (size_t i = 0; i < count; i++)
		if (vg_entry_target(&relocs[i], (int64_t)(relocs[i].offset - item->offset), &to,
				    &offset, &distance) &&
		    vg_item_is_function(to) && offset)
			return true;
	return false;
}

static struct vg_error *copy(struct vg_patch_build *build, struct vg_pair *pair,
			     struct vg_item *item, const char *how, struct vg_reach *reach)
{
	reach->how = how;
	return vg_piece_of(build, pair, item, 0, &reach->piece);
}

static bool is_same_bytes(const struct vg_item *a, const struct vg_item *b)
{
	return a->kind == b->kind && a->size == b->size && vg_item_bytes(a) && vg_item_bytes(b) &&
	       !memcmp(vg_item_bytes(a), vg_item_bytes(b), a->size);
}

/* The pre object's string or constant of the same content, if matched code says where it lies. */
static struct vg_item *old_copy(const struct vg_pair *pair, const struct vg_item *post)
{
	size_t reloc_count;

	vg_item_relocs(post, &reloc_count);
	for (size_t i = 0; !reloc_count && i < pair->pre->item_count; i++)
		if (pair->pre->items[i]->sites && is_same_bytes(pair->pre->items[i], post) &&
		    vg_item_align(pair->pre->items[i], 0) >= vg_item_align(post, 0) &&
		    (post->kind != VG_ITEM_ANONYMOUS ||
		     !strcmp(pair->pre->items[i]->section->name, post->section->name)))
			return pair->pre->items[i];
	return NULL;
}

static struct vg_error *reach_nameless(struct vg_patch_build *build, struct vg_pair *pair,
				       struct vg_item *post, struct vg_reach *reach)
{
	struct vg_item *pre = old_copy(pair, post);

	if (vg_item_is_writable(post))
		return vg_error_refuse(VG_RULE_AMBIGUOUS,
				       "%s: the new code refers to data without a name in %s, "
				       "which cannot be found in the target; give it a name",
				       post->object->file, post->section->name);
	if (pre)
		VG_TRY(take_sites(build, pre, reach));
	if (reach->has_address)
		return NULL;
	return copy(build, pair, post, "new constant", reach);
}

static struct vg_error *refuse_new_thread_local(struct vg_patch_build *build, struct vg_pair *pair,
						const struct vg_item *post)
{
	return vg_refuse(build, VG_RULE_THREAD_LOCAL, NULL, vg_place_of(build, pair, post),
			 "the thread-local variable %s is new; running threads have no room "
			 "for it: use a shadow variable or an array by thread",
			 post->name)
		       ?: vg_error_new(VG_REFUSED,
				       "%s: there is no way to add the thread-local variable %s to "
				       "running threads",
				       post->object->file, post->name);
}

static struct vg_error *refuse_ambiguous(struct vg_patch_build *build, const struct vg_item *post)
{
	const struct vg_object *pre = NULL;
	const char *names = "";

	for (size_t i = 0; i < build->pair_count; i++)
		if (build->pairs[i].post == post->object)
			pre = build->pairs[i].pre;
	for (size_t i = 0; pre && i < pre->item_count; i++)
		if (pre->items[i]->base && !pre->items[i]->twin &&
		    pre->items[i]->kind == post->kind && !strcmp(pre->items[i]->base, post->base))
			names = vg_arena_enumerate(build->arena, names, pre->items[i]->name);
	return vg_error_refuse(VG_RULE_AMBIGUOUS,
			       "%s: which of the static variables called %s the new code means "
			       "cannot be told (candidates before the change: %s); give them "
			       "different names",
			       post->object->file, post->base, *names ? names : post->base);
}

static struct vg_error *reach_new_variable(struct vg_patch_build *build, struct vg_pair *pair,
					   struct vg_item *post, struct vg_reach *reach)
{
	if (vg_section_is_thread_local(post->section))
		return refuse_new_thread_local(build, pair, post);
	return copy(build, pair, post, vg_item_is_writable(post) ? "new variable" : "new constant",
		    reach);
}

/* Vectors are read and written in ways that fault where the address is not as it was asked for. */
static bool is_misaligned(const struct vg_item *post, const struct vg_reach *reach)
{
	uint64_t align = vg_item_align(post, 0);

	return post->twin->section && align > vg_item_align(post->twin, 0) &&
	       (!reach->has_address || reach->address % align);
}

static struct vg_error *refuse_misaligned(struct vg_patch_build *build, struct vg_pair *pair,
					  const struct vg_item *post)
{
	return vg_refuse(build, VG_RULE_LAYOUT, NULL, vg_place_of(build, pair, post),
			 "the new code expects %s at a multiple of %llu bytes, but the program has "
			 "it elsewhere; keep its alignment, or --allow layout if no instruction "
			 "relies on it",
			 post->name, (unsigned long long)vg_item_align(post, 0));
}

/* Which data with labels of included code can be copied: the program cannot have changed it. */
static struct vg_error *reach_label_table(struct vg_patch_build *build, struct vg_pair *pair,
					  struct vg_item *post, struct vg_reach *reach)
{
	if (vg_item_is_writable(post))
		return vg_error_refuse(VG_RULE_DATA,
				       "%s: the variable %s holds labels of a changed function "
				       "and can be written; make it const",
				       post->object->file, post->name);
	if (post->kind == VG_ITEM_VARIABLE)
		VG_TRY(vg_note(build,
			       "%s: %s holds labels of a changed function and comes anew with it; "
			       "labels that the program keeps elsewhere (threaded code) go on "
			       "leading to the old code",
			       post->object->file, post->name));
	return copy(build, pair, post, "table of labels", reach);
}

/*
 * The source had it before the diff, the target has not. The linker may have dropped it, but so may
 * a patch that this one depends on have brought it: a copy would be another variable.
 */
static struct vg_error *refuse_brought_by_unknown(struct vg_patch_build *build,
						  const struct vg_item *post)
{
	if (!vg_item_is_writable(post) || build->request->depend_count <= build->earlier.count)
		return NULL;
	return vg_error_refuse(VG_RULE_AMBIGUOUS,
			       "%s: the variable %s is not in %s; if a patch that is named by "
			       "--depends brought it, give the object of that patch with "
			       "--depends-object",
			       post->object->file, post->name, build->target->elf->path);
}

static struct vg_error *reach_variable(struct vg_patch_build *build, struct vg_pair *pair,
				       struct vg_item *post, struct vg_reach *reach)
{
	bool replaceable = vg_item_is_replaceable_constant(post);

	if (has_label_of_function(post))
		return reach_label_table(build, pair, post, reach);
	if (post->ambiguous && !replaceable)
		return refuse_ambiguous(build, post);
	if (!post->twin)
		return reach_new_variable(build, pair, post, reach);
	if (replaceable) {
		bool same;

		VG_TRY(vg_same_contents(build->decoder, post->twin, post, &same));
		if (!same)
			return copy(build, pair, post, "constant with new contents", reach);
	}
	VG_TRY(vg_reach_old(build, pair, post->twin, reach));
	if (replaceable && is_reached(reach) && is_misaligned(post, reach))
		*reach = (struct vg_reach){0};
	if (!is_reached(reach) && replaceable)
		return copy(build, pair, post, "constant not found in the target", reach);
	if (is_reached(reach) && is_misaligned(post, reach))
		return refuse_misaligned(build, pair, post);
	if (!is_reached(reach) && vg_is_dropped(build, post->twin)) {
		VG_TRY(refuse_brought_by_unknown(build, post));
		return reach_new_variable(build, pair, post, reach);
	}
	return NULL;
}

static struct vg_error *reach_function(struct vg_patch_build *build, struct vg_pair *pair,
				       struct vg_item *post, struct vg_reach *reach)
{
	bool is_cold = post->name && strstr(post->name, ".cold");

	if (is_cold || !post->twin || (vg_item_is_part(post) && post->comparison != VG_SAME))
		return copy(build, pair, post, is_cold ? "piece of new code" : "new function",
			    reach);
	VG_TRY(vg_reach_old(build, pair, post->twin, reach));
	if (is_reached(reach) || !vg_is_dropped(build, post->twin))
		return NULL;
	return copy(build, pair, post, "the target's linker dropped it", reach);
}

/* A global that another unit of this diff defines anew. */
static struct vg_error *reach_other_unit(struct vg_patch_build *build, const struct vg_item *post,
					 struct vg_reach *reach, bool *done)
{
	*done = false;
	for (size_t i = 0; i < build->pair_count; i++) {
		struct vg_item *other = vg_object_item_named(build->pairs[i].post, post->name);
		struct vg_reach *theirs;

		if (!other || !other->section || vg_item_is_local(other))
			continue;
		VG_TRY(vg_reach(build, &build->pairs[i], other, &theirs));
		*reach = *theirs;
		*done = true;
		return NULL;
	}
	return NULL;
}

static struct vg_error *reach_undefined(struct vg_patch_build *build, struct vg_pair *pair,
					struct vg_item *post, struct vg_reach *reach)
{
	bool done = false;

	if (post->twin)
		VG_TRY(vg_reach_old(build, pair, post->twin, reach));
	if (!is_reached(reach))
		VG_TRY(reach_other_unit(build, post, reach, &done));
	if (!done && !is_reached(reach))
		VG_TRY(vg_reach_symbol(build, post, reach));
	if (!done && !is_reached(reach) && !vg_target_dynamic(build->target, post->name))
		VG_TRY(vg_reach_elsewhere(build, post, reach));
	if (!done && !is_reached(reach))
		VG_TRY(vg_reach_import(build, post, reach));
	return NULL;
}

static struct vg_error *find_reach(struct vg_patch_build *build, struct vg_pair *pair,
				   struct vg_item *post, struct vg_reach *reach)
{
	VG_TRY(vg_reach_earlier(build, post, reach));
	if (reach->has_import || reach->has_address)
		return NULL;
	switch (post->kind) {
	case VG_ITEM_UNDEFINED:
		return reach_undefined(build, pair, post, reach);
	case VG_ITEM_FUNCTION:
		return reach_function(build, pair, post, reach);
	case VG_ITEM_VARIABLE:
		return reach_variable(build, pair, post, reach);
	default:
		return reach_nameless(build, pair, post, reach);
	}
}

static void explain_reach(struct vg_patch_build *build, const struct vg_item *post,
			  const struct vg_reach *reach)
{
	const char *what = reach->how ?: "symbol table";

	if (reach->piece)
		vg_explain(build, "%s: %s comes with the patch (%s)", post->object->file,
			   vg_item_text(post), what);
	else if (reach->has_address)
		vg_explain(build, "%s: %s is at 0x%llx (%s)", post->object->file,
			   vg_item_text(post), (unsigned long long)reach->address, what);
	else
		vg_explain(build, "%s: %s is reached %s (%s)", post->object->file,
			   vg_item_text(post),
			   reach->has_call		  ? "through the target's PLT"
			   : reach->has_slot		  ? "through the target's GOT"
			   : is_thread_local_known(reach) ? "from the thread pointer"
							  : "by an import",
			   what);
}

struct vg_error *vg_reach(struct vg_patch_build *build, struct vg_pair *pair, struct vg_item *post,
			  struct vg_reach **reach)
{
	*reach = post->reach;
	if (*reach)
		return NULL;
	*reach = post->reach = vg_arena_alloc(build->arena, 1, sizeof(**reach));
	if (!*reach)
		return vg_error_no_memory();
	VG_TRY(find_reach(build, pair, post, *reach));
	if (!is_reached(*reach) && !(*reach)->piece && !(*reach)->has_import)
		return vg_error_refuse(VG_RULE_AMBIGUOUS,
				       "%s: %s, which the new code refers to, was not found in "
				       "%s; give --symbols",
				       post->object->file, vg_item_text(post),
				       build->target->elf->path);
	explain_reach(build, post, *reach);
	return NULL;
}
