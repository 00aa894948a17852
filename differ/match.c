/* SPDX-License-Identifier: MIT */
#include "differ/match.h"

#include <string.h>
#include <vgraft/rules.h>

#include "common/clock.h"
#include "common/error.h"
#include "differ/match_check.h"

/* The best that a failed search can say: how far the nearest candidate agreed. */
struct attempt {
	uint64_t address;  /* of the candidate */
	uint64_t agreed;   /* bytes */
	const char *why;   /* "at offset 0x…, …" */
	size_t candidates; /* looked at */
};

struct search {
	struct vg_matcher *matcher;
	struct vg_item *item;
	struct vg_listing *listing;
	VG_LIST(uint64_t) found;
	struct attempt best;
	enum vg_match_how how;
	bool is_weak; /* one place, but too little code to tell that it is this function */
};

static const char *describe_line(struct search *search, const struct vg_line *line,
				 uint64_t address)
{
	const struct vg_target *target = search->matcher->target;
	uint64_t at = line->instruction.address, left = search->item->size - at;
	uint64_t count = left < VG_MAX_INSTRUCTION ? left : VG_MAX_INSTRUCTION;
	const uint8_t *bytes = vg_target_bytes(target, address + at, count);
	char mine[128], theirs[128] = "(nothing)";

	vg_instruction_text(search->matcher->decoder, vg_item_bytes(search->item) + at, count, at,
			    mine, sizeof(mine));
	if (bytes)
		vg_instruction_text(search->matcher->decoder, bytes, count, address + at, theirs,
				    sizeof(theirs));
	return vg_arena_printf(search->matcher->arena,
			       "at offset 0x%llx the source compiles to \"%s\", the binary has "
			       "\"%s\"",
			       (unsigned long long)at, mine, theirs);
}

static void note_attempt(struct search *search, const struct vg_line *line, uint64_t address,
			 const char *why)
{
	uint64_t agreed = line->instruction.address;

	if (search->best.address && agreed <= search->best.agreed)
		return;
	search->best.address = address;
	search->best.agreed = agreed;
	search->best.why = why ?: describe_line(search, line, address);
}

/* Step 2 for one candidate; *line and *why tell where it differs. */
static bool agrees_at(struct vg_matcher *matcher, const struct vg_listing *listing,
		      const uint8_t *code, const uint8_t *bytes, uint64_t address,
		      const struct vg_line **line, const char **why)
{
	struct vg_site_value values[2];

	for (size_t i = 0; i < listing->count; i++) {
		uint64_t at = listing->lines[i].instruction.address;

		*line = &listing->lines[i];
		if (!vg_site_read(*line, code + at, bytes + at, address + at, values) ||
		    !vg_match_agrees(matcher, *line, values, why))
			return false;
	}
	return true;
}

struct vg_error *vg_match_try(struct vg_matcher *matcher, struct vg_item *item, uint64_t address,
			      bool *matches)
{
	const uint8_t *bytes = vg_target_bytes(matcher->target, address, item->size);
	const struct vg_line *line;
	struct vg_listing *listing;
	const char *why = NULL;

	*matches = false;
	if (!bytes || !vg_target_is_code(matcher->target, address))
		return NULL;
	VG_TRY(vg_listing_get(matcher->decoder, item, &listing));
	*matches = agrees_at(matcher, listing, vg_item_bytes(item), bytes, address, &line, &why);
	return NULL;
}

static bool matches_at(struct search *search, uint64_t address)
{
	const struct vg_target *target = search->matcher->target;
	const uint8_t *bytes = vg_target_bytes(target, address, search->item->size);
	const struct vg_line *line;
	const char *why = NULL;

	if (!bytes || !vg_target_is_code(target, address))
		return false;
	search->best.candidates++;
	if (agrees_at(search->matcher, search->listing, vg_item_bytes(search->item), bytes, address,
		      &line, &why))
		return true;
	note_attempt(search, line, address, why);
	return false;
}

static struct vg_error *try_candidate(struct search *search, uint64_t address)
{
	for (size_t i = 0; i < search->found.count; i++)
		if (search->found.at[i] == address)
			return NULL;
	if (!matches_at(search, address))
		return NULL;
	return vg_list_push(search->matcher->arena, &search->found, address) ? NULL
									     : vg_error_no_memory();
}

static bool is_function_symbol(const struct vg_symbol *symbol)
{
	uint8_t type = GELF_ST_TYPE(symbol->sym.st_info);

	return symbol->sym.st_shndx != SHN_UNDEF && symbol->sym.st_value &&
	       (type == STT_FUNC || type == STT_NOTYPE || type == STT_GNU_IFUNC);
}

/* STT_FILE holds what the compiler was given or the last part of it. */
bool vg_symbol_is_of_file(const struct vg_symbol *symbol, const char *file)
{
	return symbol->file && !strcmp(basename(symbol->file), basename(file));
}

static bool is_under_file(const struct vg_symbol **named, size_t count, const char *file)
{
	for (size_t i = 0; i < count; i++)
		if (vg_symbol_is_of_file(named[i], file))
			return true;
	return false;
}

/*
 * A stripped binary still names what it exports. A static function cannot be one of these, even if
 * some other file exports the name: QEMU's static register_types() beside an exported one.
 */
static bool is_namesake(const struct vg_item *item, const struct vg_symbol *symbol)
{
	return vg_item_is_local(item) && GELF_ST_BIND(symbol->sym.st_info) != STB_LOCAL;
}

/* Step 1, by name. Returns whether the target knows the name at all. */
static struct vg_error *try_names(struct search *search, bool *is_known)
{
	size_t count;
	const char *file = search->item->object->file;
	const struct vg_symbol **named =
		vg_target_named(search->matcher->target, search->item->name, &count);
	bool scoped = vg_item_is_local(search->item) && is_under_file(named, count, file);

	*is_known = false;
	for (size_t i = 0; i < count; i++) {
		if (!is_function_symbol(named[i]) || is_namesake(search->item, named[i]) ||
		    (scoped && !vg_symbol_is_of_file(named[i], file)))
			continue;
		*is_known = true;
		VG_TRY(try_candidate(search, named[i]->sym.st_value));
	}
	return NULL;
}

static struct vg_error *try_block_of(struct search *search, struct vg_object *object,
				     bool *is_placed)
{
	struct vg_item *item = vg_object_item_named(object, search->item->name);
	uint64_t base;

	if (!item || !vg_item_is_function(item))
		return NULL;
	VG_TRY(vg_match_block(search->matcher, item->section, is_placed, &base));
	return *is_placed ? try_candidate(search, base + item->offset) : NULL;
}

/* Step 1, by the place of the whole object: as the target was made of it, or with a section for
 * each function, which changes neither their order nor, nearly always, their code. */
static struct vg_error *try_block(struct search *search, struct vg_object *plain, bool *is_placed)
{
	struct vg_object *own = search->item->object;

	*is_placed = false;
	if (plain)
		VG_TRY(try_block_of(search, plain, is_placed));
	if (*is_placed)
		return NULL;
	VG_TRY(vg_match_frames(search->matcher, own));
	if (plain && own->frames.state != VG_FRAMES_FOUND)
		return NULL;
	return try_block_of(search, own, is_placed);
}

/* Several symbols of the name, and the code is the same at each: the object's place decides. */
static struct vg_error *choose_by_block(struct search *search, struct vg_object *plain)
{
	struct search placed = {
		.matcher = search->matcher, .item = search->item, .listing = search->listing};
	bool is_placed;

	VG_TRY(try_block(&placed, plain, &is_placed));
	for (size_t i = 0; i < search->found.count && placed.found.count; i++) {
		if (search->found.at[i] != placed.found.at[0])
			continue;
		search->found = placed.found;
		search->how = VG_MATCHED_BY_OBJECT;
	}
	return NULL;
}

/* Step 1, by what code that was matched refers to: a part by the function that jumps to it. */
static struct vg_error *try_sites(struct search *search)
{
	const struct vg_fact *fact =
		vg_item_is_local(search->item)
			? NULL
			: vg_facts_find(search->matcher->facts, search->item->name);

	if (fact)
		VG_TRY(try_candidate(search, fact->address));
	for (const struct vg_site *site = search->item->sites; site; site = site->next)
		if ((site->kind == VG_SITE_ADDRESS || site->kind == VG_SITE_CALL) &&
		    !vg_target_plt(search->matcher->target, site->value))
			VG_TRY(try_candidate(search, site->value));
	return NULL;
}

/* Step 1, by length. */
static struct vg_error *try_all_functions(struct search *search)
{
	size_t count;
	const struct vg_span *spans =
		vg_target_functions_of_size(search->matcher->target, search->item->size, &count);

	for (size_t i = 0; i < count; i++)
		VG_TRY(try_candidate(search, spans[i].start));
	return NULL;
}

/* Linkers rewrite the two instructions of an access by descriptor, which need not stand together.
 */
static bool has_tls_descriptor(const struct vg_listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		for (unsigned r = 0; r < listing->lines[i].reference_count; r++)
			if (listing->lines[i].references[r].type == R_X86_64_GOTPC32_TLSDESC)
				return true;
	return false;
}

/* Code that lies at several places: to which of them does the data belong? */
static void narrow_by_data(struct search *search)
{
	unsigned before = search->matcher->follow;
	size_t kept = 0;

	search->matcher->follow = VG_FOLLOW_POINTERS;
	for (size_t i = 0; i < search->found.count; i++) {
		uint64_t address = search->found.at[i];

		if (!matches_at(search, address))
			continue;
		search->found.at[i] = search->found.at[kept];
		search->found.at[kept++] = address;
	}
	search->matcher->follow = before;
	if (kept)
		search->found.count = kept;
}

/* By nothing but its code. */
static struct vg_error *try_everywhere(struct search *search)
{
	bool evident = true;

	VG_TRY(try_all_functions(search));
	if (search->found.count > 1)
		narrow_by_data(search);
	if (search->found.count == 1)
		VG_TRY(vg_match_is_evident(search->matcher, search->item, search->found.at[0],
					   &evident));
	search->is_weak = !evident;
	return NULL;
}

static struct vg_error *run_search(struct search *search, struct vg_object *plain, bool *is_known)
{
	bool is_placed;

	VG_TRY(vg_listing_get(search->matcher->decoder, search->item, &search->listing));
	VG_TRY(try_names(search, is_known));
	search->how = VG_MATCHED_BY_NAME;
	if (*is_known)
		return search->found.count > 1 ? choose_by_block(search, plain) : NULL;
	VG_TRY(try_block(search, plain, &is_placed));
	search->how = is_placed ? VG_MATCHED_BY_OBJECT : VG_MATCHED_BY_CODE;
	if (!is_placed)
		VG_TRY(try_sites(search));
	if (!is_placed && !search->found.count)
		return try_everywhere(search);
	if (search->found.count > 1)
		narrow_by_data(search);
	return NULL;
}

static const char *candidates_text(struct search *search)
{
	struct vg_arena *arena = search->matcher->arena;
	const char *text = "";

	for (size_t i = 0; i < search->found.count && i < 4; i++)
		text = vg_arena_enumerate(
			arena, text,
			vg_arena_printf(arena, "0x%llx", (unsigned long long)search->found.at[i]));
	return search->found.count > 4 ? vg_arena_enumerate(arena, text, "…") : text;
}

/* Without symbols, code of the same length somewhere else is nothing to compare with. */
static struct vg_error *find_difference(struct search *search, struct vg_object *plain)
{
	struct vg_item *item = plain ? vg_object_item_named(plain, search->item->name) : NULL;
	struct search there = {.matcher = search->matcher};
	uint64_t address;

	search->best = (struct attempt){0};
	if (!item || !vg_item_is_function(item))
		return NULL;
	VG_TRY(vg_match_nearest(search->matcher, item->section, search->item->object, &there.item,
				&address));
	if (!there.item)
		return NULL;
	VG_TRY(vg_listing_get(search->matcher->decoder, there.item, &there.listing));
	if (!matches_at(&there, address) && there.best.why)
		search->best.why = vg_arena_printf(search->matcher->arena,
						   "%s at 0x%llx differs: %s", there.item->name,
						   (unsigned long long)address, there.best.why);
	return NULL;
}

/* A function of another source may have the name: ssh-agent calls the pkcs11 helper by one. */
static bool is_of_another_program(const struct search *search)
{
	const struct vg_target *target = search->matcher->target;

	return vg_target_names_files(target) &&
	       !vg_target_has_file(target, search->item->object->file);
}

static void explain_failure(struct search *search, bool is_known, struct vg_match *match)
{
	struct vg_arena *arena = search->matcher->arena;
	const char *name = search->item->name, *path = search->matcher->target->elf->path;
	const char *file = search->item->object->file;

	match->rule = VG_RULE_MISMATCH;
	if (search->matcher->target->is_executable && has_tls_descriptor(search->listing)) {
		match->rule = VG_RULE_THREAD_LOCAL;
		match->why = vg_arena_printf(
			arena,
			"%s reaches thread-local variables by descriptors, which the linker of a "
			"program rewrites; build it without -mtls-dialect=gnu2",
			name);
	} else if (search->found.count > 1) {
		match->rule = VG_RULE_AMBIGUOUS;
		match->why = vg_arena_printf(
			arena, "the code of %s lies at %zu places in %s (%s); give --symbols", name,
			search->found.count, path, candidates_text(search));
	} else if (search->is_weak) {
		match->rule = VG_RULE_AMBIGUOUS;
		match->why = vg_arena_printf(
			arena,
			"%s has code at %s that could be %s, but %llu bytes are too few to tell "
			"and what lies beside it is not what its object has there; give --symbols",
			path, candidates_text(search), name,
			(unsigned long long)search->item->size);
	} else if (is_of_another_program(search)) {
		match->why = vg_arena_printf(
			arena,
			"%s was not linked from %s, which has %s: its symbol table does not name "
			"that source; the fix belongs into another program or library",
			path, file, name);
	} else if (search->best.why) {
		match->why = vg_arena_printf(
			arena,
			"the source of %s is not what %s was built from: %s; use the source and "
			"the compiler of this build",
			name, path, search->best.why);
	} else {
		match->why = vg_arena_printf(
			arena, "%s %s; use the source, flags and compiler of this build", name,
			is_known ? vg_arena_printf(arena, "is of another size in %s", path)
				 : vg_arena_printf(arena,
						   "was not found in %s: none of its functions "
						   "that are %llu bytes long has its code",
						   path, (unsigned long long)search->item->size));
	}
}

static struct vg_error *note_sites(struct search *search, uint64_t address,
				   const struct vg_object *owner)
{
	const uint8_t *code = vg_item_bytes(search->item);
	const uint8_t *bytes =
		vg_target_bytes(search->matcher->target, address, search->item->size);
	struct vg_site_value values[2];

	for (size_t i = 0; i < search->listing->count; i++) {
		const struct vg_line *line = &search->listing->lines[i];
		uint64_t at = line->instruction.address;

		if (!vg_site_read(line, code + at, bytes + at, address + at, values))
			continue;
		for (unsigned r = 0; r < line->reference_count; r++)
			if (values[r].is_known)
				VG_TRY(vg_match_note_site(search->matcher, owner, line, r,
							  &values[r], search->item));
	}
	return NULL;
}

static struct vg_error *search_plain(struct search *search, struct vg_object *plain)
{
	struct search again = {.matcher = search->matcher};
	bool is_known;

	again.item = plain ? vg_object_item_named(plain, search->item->name) : NULL;
	if (!again.item || !vg_item_is_function(again.item))
		return NULL;
	VG_TRY(run_search(&again, plain, &is_known));
	if (again.found.count == 1 && !again.is_weak)
		*search = again;
	return NULL;
}

static struct vg_error *match_anew(struct vg_matcher *matcher, struct vg_item *item,
				   struct vg_object *plain, struct vg_match **match)
{
	struct search search = {.matcher = matcher, .item = item};
	bool is_known = false;

	*match = item->match = vg_arena_alloc(matcher->arena, 1, sizeof(**match));
	if (!*match)
		return vg_error_no_memory();
	VG_TRY(run_search(&search, plain, &is_known));
	if (!search.found.count)
		VG_TRY(search_plain(&search, plain));
	if (!search.found.count && !is_known)
		VG_TRY(find_difference(&search, plain));
	if (search.found.count != 1 || search.is_weak) {
		(*match)->places = search.found.at;
		(*match)->place_count = search.found.count;
		explain_failure(&search, is_known, *match);
		return NULL;
	}
	(*match)->found = true;
	(*match)->how = search.how;
	(*match)->address = search.found.at[0];
	(*match)->bytes = search.item->size;
	(*match)->item = search.item;
	return note_sites(&search, search.found.at[0], item->object);
}

struct vg_error *vg_match_function(struct vg_matcher *matcher, struct vg_item *item,
				   struct vg_object *plain, struct vg_match **match)
{
	double start = vg_now_ms();
	struct vg_error *error;

	*match = item->match;
	if (*match)
		return NULL;
	error = match_anew(matcher, item, plain, match);
	matcher->ms += vg_now_ms() - start;
	return error;
}
