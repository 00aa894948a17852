/* SPDX-License-Identifier: MIT */
#include "differ/match_check.h"

#include <string.h>

#include "common/error.h"
#include "differ/instruction_compare.h"

/* Contents can be compared where they are whole in the file and nothing is relocated in them. */
static bool has_plain_contents(const struct vg_item *item)
{
	size_t reloc_count;

	vg_item_relocs(item, &reloc_count);
	return item->section && vg_item_bytes(item) && !vg_item_is_function(item) &&
	       !vg_item_is_writable(item) && !reloc_count && item->kind != VG_ITEM_ANONYMOUS;
}

static bool has_same_contents(struct vg_matcher *matcher, const struct vg_item *item,
			      uint64_t address, const char **why)
{
	const uint8_t *bytes = vg_target_bytes(matcher->target, address, item->size);

	if (bytes && !memcmp(bytes, vg_item_bytes(item), item->size))
		return true;
	*why = vg_arena_printf(matcher->arena, "the contents of %s are others in the binary",
			       vg_item_text(item));
	return false;
}

/*
 * The address that the target itself gives a global name, or code of other objects. Functions
 * called through the PLT have another one at each place of use, so only what is defined in the
 * target is compared.
 */
static bool is_defined_elsewhere(struct vg_matcher *matcher, const struct vg_item *item,
				 uint64_t address)
{
	size_t count;
	const struct vg_symbol **named = vg_target_named(matcher->target, item->name, &count);
	const struct vg_fact *fact;
	bool defined = false;

	if (vg_target_plt(matcher->target, address))
		return false;
	for (size_t i = 0; i < count; i++) {
		const GElf_Sym *sym = &named[i]->sym;

		if (sym->st_shndx == SHN_UNDEF || GELF_ST_TYPE(sym->st_info) == STT_TLS ||
		    GELF_ST_BIND(sym->st_info) == STB_LOCAL)
			continue;
		if (sym->st_value == address)
			return false;
		defined = true;
	}
	fact = vg_facts_find(matcher->facts, item->name);
	return defined || (fact && fact->address != address);
}

bool vg_match_is_elsewhere(struct vg_matcher *matcher, const struct vg_item *item, uint64_t address)
{
	return item->name && !vg_item_is_local(item) && !vg_item_is_weak(item) &&
	       is_defined_elsewhere(matcher, item, address);
}

/* Code of the same object that was found already, by itself or with its whole section. */
static bool is_placed(const struct vg_item *item, uint64_t *address)
{
	if (item->section && item->section->block.state == VG_BLOCK_FOUND) {
		*address = item->section->block.base + item->offset;
		return true;
	}
	if (!item->match || !item->match->found)
		return false;
	*address = item->match->address;
	return true;
}

bool vg_match_lies_at(struct vg_matcher *matcher, const struct vg_item *item, uint64_t address,
		      const char **why)
{
	uint64_t place;

	if (is_placed(item, &place)) {
		if (address == place || vg_target_plt(matcher->target, address))
			return true;
		*why = vg_arena_printf(matcher->arena,
				       "it refers to %s, which lies elsewhere in the binary",
				       vg_item_text(item));
		return false;
	}
	if (has_plain_contents(item))
		return has_same_contents(matcher, item, address, why);
	if (item->name && !vg_item_is_local(item) && is_defined_elsewhere(matcher, item, address)) {
		*why = vg_arena_printf(matcher->arena,
				       "it refers to %s, but to another place in the binary",
				       item->name);
		return false;
	}
	return vg_match_data(matcher, item, address, why);
}

static bool agrees(struct vg_matcher *matcher, const struct vg_reference *reference,
		   const struct vg_site_value *value, const char **why)
{
	if (!value->is_known || !reference->item ||
	    (value->kind != VG_SITE_ADDRESS && value->kind != VG_SITE_CALL))
		return true;
	return vg_match_lies_at(matcher, reference->item, value->value, why);
}

bool vg_match_agrees(struct vg_matcher *matcher, const struct vg_line *line,
		     const struct vg_site_value values[2], const char **why)
{
	for (unsigned i = 0; i < line->reference_count; i++)
		if (!agrees(matcher, &line->references[i], &values[i], why))
			return false;
	return true;
}

static bool is_same_string(const struct vg_item *a, const struct vg_item *b)
{
	return a->kind == b->kind && a->size == b->size && vg_item_bytes(a) && vg_item_bytes(b) &&
	       !memcmp(vg_item_bytes(a), vg_item_bytes(b), a->size);
}

/* The plain object's item stands for that item of the pre object. */
static struct vg_item *counterpart(const struct vg_object *owner, struct vg_item *item)
{
	if (item->object == owner)
		return item;
	if (item->name && !vg_item_is_nameless(item))
		return vg_object_item_named(owner, item->name);
	for (size_t i = 0; item->kind == VG_ITEM_STRING && i < owner->item_count; i++)
		if (is_same_string(owner->items[i], item))
			return owner->items[i];
	return NULL;
}

/* Is it the address of something that other objects call by the same name? */
static bool is_fact(const struct vg_matcher *matcher, const struct vg_item *item,
		    const struct vg_site_value *value)
{
	return matcher->facts && item->name && !vg_item_is_nameless(item) &&
	       !vg_item_is_local(item) &&
	       (value->kind == VG_SITE_ADDRESS || value->kind == VG_SITE_CALL) &&
	       !vg_target_plt(matcher->target, value->value);
}

struct vg_error *vg_match_note_site(struct vg_matcher *matcher, const struct vg_object *owner,
				    const struct vg_line *line, unsigned r,
				    const struct vg_site_value *value, struct vg_item *user)
{
	struct vg_item *item = counterpart(owner, line->references[r].item);
	struct vg_site *site;

	if (!item)
		return NULL;
	if (is_fact(matcher, item, value))
		VG_TRY(vg_facts_note(matcher->facts, item->name, value->value));
	for (site = item->sites; site; site = site->next)
		if (site->kind == value->kind && site->value == value->value)
			return NULL;
	site = vg_arena_alloc(matcher->arena, 1, sizeof(*site));
	if (!site)
		return vg_error_no_memory();
	*site = (struct vg_site){
		.next = item->sites,
		.kind = value->kind,
		.value = value->value,
		.user = user,
		.user_offset = line->instruction.address,
	};
	item->sites = site;
	return NULL;
}

bool vg_target_has_file(const struct vg_target *target, const char *file)
{
	return vg_symbols_name_file(&target->symbols, file);
}

bool vg_target_names_files(const struct vg_target *target)
{
	for (size_t i = 0; i < target->symbols.count; i++)
		if (GELF_ST_TYPE(target->symbols.symbols[i].sym.st_info) == STT_FILE &&
		    *target->symbols.symbols[i].name)
			return true;
	return false;
}
