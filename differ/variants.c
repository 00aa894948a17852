/* SPDX-License-Identifier: MIT */
/*
 * Which of the compiled units the target holds. A compile_commands.json speaks of a whole project:
 * of several programs, of a library's objects with and without -fPIC (libtool), of a second build
 * for coverage (memcached-debug). A diff reaches all of them, the target was linked from some.
 *
 *   1. A source compiled several times: where the changed functions of one unit are all found in
 *      the target, a unit of the same source of which some are not does not belong to it. Short
 *      ones may look alike in both; the others tell.
 *   2. Units that were compiled alike are found at the same addresses: one of them speaks for all,
 *      if the fix makes the same of them.
 *   3. A unit of which no changed function is found, or each where the same one of a unit is whose
 *      source the target's symbol table names (STT_FILE), and whose own source it does not name
 *      although it names others, belongs to another program. So does one whose functions are where,
 *      in a stripped target, those of a unit are of which all code was found together.
 *
 * A function that a unit lacks in the target while the symbol table has one of that name which no
 * other unit accounts for keeps the unit in: matching will say what differs.
 */
#include <string.h>

#include "common/error.h"
#include "differ/match_check.h"
#include "differ/patch_build.h"

struct standing {
	size_t changes, found, unused; /* unused: dropped by the linker */
	bool is_left_out;
};

static bool is_found(const struct vg_change *change)
{
	return change->pre->match && change->pre->match->found;
}

static struct vg_error *take_stock(struct vg_patch_build *build, struct standing *standings)
{
	for (size_t i = 0; i < build->changes.count; i++) {
		struct vg_change *change = build->changes.at[i];
		struct standing *standing = &standings[change->pair - build->pairs];
		struct vg_match *match;

		VG_TRY(vg_match_old(build, change->pair, change->pre, &match));
		standing->changes++;
		standing->found += match->found;
		standing->unused += !match->found && vg_is_dropped(build, change->pre);
	}
	return NULL;
}

static bool is_whole(const struct standing *standing)
{
	return standing->found && standing->found + standing->unused == standing->changes;
}

static bool is_same_source(const struct vg_pair *a, const struct vg_pair *b)
{
	return !strcmp(a->unit->file, b->unit->file);
}

/* Is this address where some unit's changed function was found? */
static bool is_accounted_for(const struct vg_patch_build *build, uint64_t address)
{
	for (size_t i = 0; i < build->changes.count; i++) {
		const struct vg_change *change = build->changes.at[i];

		if (is_found(change) && change->pre->match->address == address)
			return true;
	}
	return false;
}

static bool is_function_of_file(const struct vg_symbol *symbol, const char *file)
{
	uint8_t type = GELF_ST_TYPE(symbol->sym.st_info);

	if (symbol->sym.st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_GNU_IFUNC))
		return false;
	return GELF_ST_BIND(symbol->sym.st_info) != STB_LOCAL || vg_symbol_is_of_file(symbol, file);
}

/* Could a function of the target that nobody was found at be this one? */
static bool may_be_there(const struct vg_patch_build *build, const struct vg_change *change)
{
	size_t count;
	const struct vg_symbol **named = vg_target_named(build->target, change->pre->name, &count);

	for (size_t i = 0; i < count; i++)
		if (is_function_of_file(named[i], change->pair->unit->file) &&
		    !is_accounted_for(build, named[i]->sym.st_value))
			return true;
	return false;
}

static bool may_any_be_there(const struct vg_patch_build *build, const struct vg_pair *pair,
			     const char *except)
{
	for (size_t i = 0; i < build->changes.count; i++) {
		const struct vg_change *change = build->changes.at[i];

		if (change->pair == pair && !is_found(change) &&
		    (!except || strcmp(change->pre->name, except)) && may_be_there(build, change))
			return true;
	}
	return false;
}

static struct vg_change *change_at(const struct vg_patch_build *build, const struct vg_pair *pair,
				   uint64_t address)
{
	for (size_t i = 0; i < build->changes.count; i++) {
		struct vg_change *change = build->changes.at[i];

		if (change->pair == pair && is_found(change) &&
		    change->pre->match->address == address)
			return change;
	}
	return NULL;
}

/* Two sources number their strings and place their statics each in its own way. */
static bool are_both_local(const struct vg_object_reloc *a, const struct vg_object_reloc *b)
{
	return a->symbol->binding == STB_LOCAL && b->symbol->binding == STB_LOCAL;
}

static bool is_same_reloc(const struct vg_object_reloc *a, uint64_t a_start,
			  const struct vg_object_reloc *b, uint64_t b_start, bool is_one_source)
{
	if (a->offset - a_start != b->offset - b_start || a->type != b->type)
		return false;
	return (!is_one_source && are_both_local(a, b)) ||
	       (a->addend == b->addend && !strcmp(a->symbol->name ?: "", b->symbol->name ?: ""));
}

static bool is_same_text(const struct vg_item *a, const struct vg_item *b, bool is_one_source)
{
	size_t a_count, b_count;
	const struct vg_object_reloc *a_relocs = vg_item_relocs(a, &a_count);
	const struct vg_object_reloc *b_relocs = vg_item_relocs(b, &b_count);

	if (a->size != b->size || a_count != b_count ||
	    memcmp(vg_item_bytes(a), vg_item_bytes(b), a->size))
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!is_same_reloc(&a_relocs[i], a->offset, &b_relocs[i], b->offset, is_one_source))
			return false;
	return true;
}

/* Are all changed functions of `pair` that were found where those of `other` are? */
static bool is_copy_of(const struct vg_patch_build *build, const struct vg_pair *pair,
		       const struct vg_pair *other, bool *differs)
{
	for (size_t i = 0; i < build->changes.count; i++) {
		const struct vg_change *change = build->changes.at[i], *same;

		if (change->pair != pair || !is_found(change))
			continue;
		same = change_at(build, other, change->pre->match->address);
		if (!same)
			return false;
		*differs |= !is_same_text(change->post, same->post, true);
	}
	return true;
}

static const char *output_of(const struct vg_pair *pair)
{
	return pair->unit->output ?: pair->unit->file;
}

static struct vg_error *leave_out(struct vg_patch_build *build, const struct vg_pair *pair,
				  const char *why, struct standing *standing)
{
	standing->is_left_out = true;
	vg_explain(build, "%s (%s) left out: %s", pair->unit->file, output_of(pair), why);
	return vg_note(build, "%s as compiled to %s left out: %s", pair->unit->file,
		       output_of(pair), why);
}

static struct vg_error *compare_with(struct vg_patch_build *build, struct standing *standings,
				     size_t i, size_t other)
{
	const struct vg_pair *pair = &build->pairs[i], *present = &build->pairs[other];
	bool differs = false;

	if (i == other || !is_same_source(pair, present) || !is_whole(&standings[other]) ||
	    standings[other].is_left_out)
		return NULL;
	if (!is_copy_of(build, pair, present, &differs) || may_any_be_there(build, pair, NULL))
		return NULL;
	if (!is_whole(&standings[i]))
		return leave_out(build, pair,
				 "the target was linked from another compilation of it",
				 &standings[i]);
	if (i < other)
		return NULL;
	if (differs)
		return vg_error_refuse(VG_RULE_AMBIGUOUS,
				       "%s is compiled to %s and to %s, the same before the change "
				       "and not after it, and %s may hold either; give a --compdb "
				       "that has what the target was linked from",
				       pair->unit->file, output_of(present), output_of(pair),
				       build->target->elf->path);
	return leave_out(build, pair, "another compilation of it gives the same code",
			 &standings[i]);
}

/*
 * A stripped target names no source, but where all code of an object lies it has that object. If a
 * linker folded the code of two, it must be the same after the change too.
 */
static bool belongs_to(const struct vg_patch_build *build, const struct vg_change *change,
		       const struct vg_change *other)
{
	if (vg_target_names_files(build->target))
		return vg_target_has_file(build->target, other->pair->unit->file);
	return change->pre->match->how == VG_MATCHED_BY_CODE &&
	       other->pre->match->how == VG_MATCHED_BY_OBJECT &&
	       is_same_text(change->post, other->post, false);
}

static bool is_other_unit_there(const struct vg_patch_build *build, const struct vg_change *change)
{
	for (size_t i = 0; i < build->pair_count; i++) {
		const struct vg_pair *pair = &build->pairs[i];
		const struct vg_change *other =
			pair == change->pair ? NULL
					     : change_at(build, pair, change->pre->match->address);

		if (other && belongs_to(build, change, other))
			return true;
	}
	return false;
}

/* A header's function that is not inlined looks alike in all that include it. */
static bool are_all_of_other_units(const struct vg_patch_build *build, const struct vg_pair *pair)
{
	for (size_t i = 0; i < build->changes.count; i++) {
		const struct vg_change *change = build->changes.at[i];

		if (change->pair == pair && is_found(change) && !is_other_unit_there(build, change))
			return false;
	}
	return true;
}

/* Each program has a main(); that the target has one says nothing. */
static bool is_of_another_program(const struct vg_patch_build *build, const struct vg_pair *pair,
				  const struct standing *standing)
{
	bool may_be = vg_target_names_files(build->target)
			      ? !vg_target_has_file(build->target, pair->unit->file)
			      : is_whole(standing);

	return may_be && !pair->unit->lto_dropped && are_all_of_other_units(build, pair) &&
	       !may_any_be_there(build, pair, "main");
}

static struct vg_error *judge(struct vg_patch_build *build, struct standing *standings, size_t i)
{
	for (size_t other = 0; other < build->pair_count && !standings[i].is_left_out; other++)
		VG_TRY(compare_with(build, standings, i, other));
	if (!standings[i].is_left_out &&
	    is_of_another_program(build, &build->pairs[i], &standings[i]))
		return leave_out(build, &build->pairs[i], "the target was not linked from it",
				 &standings[i]);
	return NULL;
}

/* Pairs move up; what is left out stands behind the others, so that its objects are closed. */
static struct vg_error *remove_left_out(struct vg_patch_build *build,
					const struct standing *standings)
{
	struct vg_pair *pairs = vg_arena_alloc(build->arena, build->pair_count, sizeof(*pairs));
	struct vg_pair **moved = vg_arena_alloc(build->arena, build->pair_count, sizeof(*moved));
	size_t kept = 0, left = 0;

	if (!pairs || !moved)
		return vg_error_no_memory();
	for (size_t i = 0; i < build->pair_count; i++) {
		bool is_out = standings[i].is_left_out;

		moved[i] = &pairs[is_out ? build->pair_count - ++left : kept++];
		*moved[i] = build->pairs[i];
	}
	kept = 0;
	for (size_t i = 0; i < build->changes.count; i++) {
		struct vg_change *change = build->changes.at[i];
		size_t index = (size_t)(change->pair - build->pairs);

		change->pair = moved[index];
		if (!standings[index].is_left_out)
			build->changes.at[kept++] = change;
	}
	build->changes.count = kept;
	build->pairs = pairs;
	build->pair_count -= left;
	build->left_out_count = left;
	return NULL;
}

struct vg_error *vg_variants_choose(struct vg_patch_build *build)
{
	struct standing *standings =
		vg_arena_alloc(build->arena, build->pair_count + 1, sizeof(*standings));
	size_t left = 0;

	if (!standings)
		return vg_error_no_memory();
	if (build->pair_count < 2)
		return NULL;
	VG_TRY(take_stock(build, standings));
	for (size_t i = 0; i < build->pair_count; i++) {
		if (standings[i].changes && !is_whole(&standings[i]))
			VG_TRY(judge(build, standings, i));
		left += standings[i].is_left_out;
	}
	for (size_t i = 0; i < build->pair_count; i++) {
		if (is_whole(&standings[i]))
			VG_TRY(judge(build, standings, i));
		left += is_whole(&standings[i]) && standings[i].is_left_out;
	}
	return left ? remove_left_out(build, standings) : NULL;
}
