/* SPDX-License-Identifier: MIT */
/*
 * How a section is cut into items:
 *
 *   1. A mergeable section (SHF_MERGE, System V ABI ch. 4) is cut by content: at each NUL for
 *      strings, every sh_entsize bytes for constants. Symbols into it name nothing of their own.
 *   2. Any other section is cut where its symbols say; what a named symbol covers is its item.
 *      Symbols at the same place are aliases of one item; one inside another refers into it.
 *   3. A section that holds one variable alone (-fdata-sections) is that variable, whatever size
 *      the symbol claims: a flexible array member lies behind st_size.
 *   4. What no symbol covers is an anonymous item (switch tables, initialisers).
 */
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/object_file.h"

/* Suffixes that compilers append to the name of a function when they make a copy or cut it up. */
static const char *const clone_suffixes[] = {".part.",	   ".isra.", ".constprop.", ".cold",
					     ".lto_priv.", ".llvm.", ".localalias", NULL};

static size_t length_without_number(const char *name, size_t length)
{
	size_t end = length;

	while (end > 1 && name[end - 1] >= '0' && name[end - 1] <= '9')
		end--;
	return end < length && end > 1 && name[end - 1] == '.' ? end - 1 : length;
}

static size_t base_length(const char *name, bool is_function)
{
	size_t length = strlen(name);

	for (size_t i = 0; is_function && clone_suffixes[i]; i++) {
		const char *found = strstr(name, clone_suffixes[i]);

		if (found && found > name && (size_t)(found - name) < length)
			length = (size_t)(found - name);
	}
	return length_without_number(name, length);
}

/* blend.avx2, blend.default: versions of one function (target_clones), each a function itself. */
static size_t source_length(const char *base)
{
	size_t length = strcspn(base, ".");

	return length ? length : strlen(base);
}

static struct vg_item *new_item(struct vg_object *object, enum vg_item_kind kind,
				struct vg_object_section *section, uint64_t offset, uint64_t size)
{
	struct vg_item *item = vg_arena_alloc(object->arena, 1, sizeof(*item));

	if (!item || !vg_list_grow(object->arena, &object->items, object->item_count,
				   &object->item_room, sizeof(*object->items)))
		return NULL;
	item->kind = kind;
	item->object = object;
	item->section = section;
	item->offset = offset;
	item->size = size;
	item->index = object->item_count;
	object->items[object->item_count++] = item;
	return item;
}

static bool name_item(struct vg_item *item, struct vg_object_symbol *symbol)
{
	item->symbol = symbol;
	item->name = symbol->name;
	item->base = vg_arena_strndup(item->object->arena, symbol->name,
				      base_length(symbol->name, vg_item_is_function(item)));
	item->source = item->base;
	if (item->base && vg_item_is_function(item))
		item->source = vg_arena_strndup(item->object->arena, item->base,
						source_length(item->base));
	return item->source;
}

static struct vg_error *cut_strings(struct vg_object *object, struct vg_object_section *section)
{
	uint64_t width = section->entry_bytes ?: 1, start = 0;
	static const uint8_t zero[8];

	if (width > sizeof(zero))
		width = 1;
	for (uint64_t at = 0; at + width <= section->size; at += width) {
		if (memcmp(section->data + at, zero, width))
			continue;
		if (!new_item(object, VG_ITEM_STRING, section, start, at + width - start))
			return vg_error_no_memory();
		start = at + width;
	}
	return NULL;
}

static struct vg_error *cut_constants(struct vg_object *object, struct vg_object_section *section)
{
	uint64_t width = section->entry_bytes;

	for (uint64_t at = 0; at + width <= section->size; at += width)
		if (!new_item(object, VG_ITEM_CONSTANT, section, at, width))
			return vg_error_no_memory();
	return NULL;
}

/* Does the symbol name a place that items are cut at? Labels of assembler code do not. */
static bool is_cut(const struct vg_object_symbol *symbol, const struct vg_object_section *section)
{
	if (symbol->section != section || !*symbol->name)
		return false;
	switch (symbol->type) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
	case STT_OBJECT:
	case STT_TLS:
	case STT_COMMON:
		return true;
	case STT_NOTYPE: /* hand-written assembler without .type */
		return symbol->binding != STB_LOCAL ||
		       (!vg_section_is_code(section) && strncmp(symbol->name, ".L", 2));
	default:
		return false;
	}
}

/* Bigger first at the same place; global names before weak and local ones. */
static int by_place(const void *left, const void *right)
{
	const struct vg_object_symbol *a = *(struct vg_object_symbol *const *)left;
	const struct vg_object_symbol *b = *(struct vg_object_symbol *const *)right;

	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	if ((a->binding == STB_GLOBAL) != (b->binding == STB_GLOBAL))
		return a->binding == STB_GLOBAL ? -1 : 1;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return a < b ? -1 : a > b;
}

static enum vg_item_kind kind_of(const struct vg_object_symbol *symbol)
{
	if (vg_section_is_code(symbol->section))
		return VG_ITEM_FUNCTION;
	return strncmp(symbol->name, ".L", 2) ? VG_ITEM_VARIABLE : VG_ITEM_ANONYMOUS;
}

/* -fdata-sections and -ffunction-sections name the section after what it holds. */
static bool is_alone(struct vg_object_symbol *const *cuts, size_t count)
{
	const char *section = cuts[0]->section->name;
	size_t whole = strlen(section), name = strlen(cuts[0]->name);

	for (size_t i = 0; i < count; i++)
		if (cuts[i]->value)
			return false;
	return !vg_section_is_code(cuts[0]->section) && whole > name &&
	       !strcmp(section + whole - name, cuts[0]->name);
}

static uint64_t item_end(struct vg_object_symbol *const *cuts, size_t count, size_t i)
{
	const struct vg_object_section *section = cuts[i]->section;
	uint64_t start = cuts[i]->value, end = start + cuts[i]->size, next = section->size;

	for (size_t j = i + 1; j < count; j++) {
		if (cuts[j]->value == start && cuts[j]->value + cuts[j]->size > end)
			end = cuts[j]->value + cuts[j]->size;
		if (cuts[j]->value > start && next == section->size)
			next = cuts[j]->value;
	}
	return end > start ? end : next;
}

static struct vg_error *cut_gap(struct vg_object *object, struct vg_object_section *section,
				uint64_t start, uint64_t end)
{
	if (start >= end)
		return NULL;
	return new_item(object, VG_ITEM_ANONYMOUS, section, start, end - start)
		       ? NULL
		       : vg_error_no_memory();
}

static struct vg_error *cut_at_symbols(struct vg_object *object, struct vg_object_section *section,
				       struct vg_object_symbol **cuts, size_t count)
{
	bool alone = count && is_alone(cuts, count);
	struct vg_item *item = NULL;
	uint64_t covered = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t end = alone ? section->size : item_end(cuts, count, i);

		if (item && (cuts[i]->value < covered || cuts[i]->value == item->offset)) {
			cuts[i]->item = item;
			continue;
		}
		VG_TRY(cut_gap(object, section, covered, cuts[i]->value));
		item = new_item(object, kind_of(cuts[i]), section, cuts[i]->value,
				end - cuts[i]->value);
		if (!item || !name_item(item, cuts[i]))
			return vg_error_no_memory();
		cuts[i]->item = item;
		covered = end;
	}
	return cut_gap(object, section, covered, section->size);
}

static struct vg_error *cut_by_symbols(struct vg_object *object, struct vg_object_section *section)
{
	VG_LIST(struct vg_object_symbol *) cuts = {0};

	for (size_t i = 0; i < object->symbol_count; i++)
		if (is_cut(&object->symbols[i], section) &&
		    !vg_list_push(object->arena, &cuts, &object->symbols[i]))
			return vg_error_no_memory();
	if (cuts.count)
		qsort(cuts.at, cuts.count, sizeof(*cuts.at), by_place);
	return cut_at_symbols(object, section, cuts.at, cuts.count);
}

static struct vg_error *cut_section(struct vg_object *object, struct vg_object_section *section)
{
	size_t first = object->item_count;

	if ((section->flags & SHF_MERGE) && (section->flags & SHF_STRINGS) && section->data)
		VG_TRY(cut_strings(object, section));
	else if ((section->flags & SHF_MERGE) && section->entry_bytes && section->data)
		VG_TRY(cut_constants(object, section));
	else
		VG_TRY(cut_by_symbols(object, section));
	section->item_count = object->item_count - first;
	section->items =
		vg_arena_alloc(object->arena, section->item_count + 1, sizeof(*section->items));
	if (!section->items)
		return vg_error_no_memory();
	if (section->item_count)
		memcpy(section->items, object->items + first,
		       section->item_count * sizeof(*section->items));
	return NULL;
}

static bool is_undefined(const struct vg_object_symbol *symbol)
{
	return !symbol->section && *symbol->name && symbol->type != STT_FILE &&
	       (symbol->raw_section == SHN_UNDEF || symbol->raw_section == SHN_COMMON);
}

struct vg_error *vg_object_find_items(struct vg_object *object)
{
	for (size_t i = 1; i < object->section_count; i++)
		if (vg_section_is_loaded(&object->sections[i]))
			VG_TRY(cut_section(object, &object->sections[i]));
	for (size_t i = 1; i < object->symbol_count; i++) {
		struct vg_object_symbol *symbol = &object->symbols[i];

		if (!is_undefined(symbol))
			continue;
		symbol->item = new_item(object, VG_ITEM_UNDEFINED, NULL, 0, symbol->size);
		if (!symbol->item || !name_item(symbol->item, symbol))
			return vg_error_no_memory();
	}
	return NULL;
}

struct vg_item *vg_object_item_at(const struct vg_object_section *section, uint64_t offset)
{
	size_t low = 0, high = section->item_count;

	if (!high)
		return NULL;
	if ((int64_t)offset < 0)
		return section->items[0];
	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;

		if (section->items[middle]->offset <= offset)
			low = middle;
		else
			high = middle;
	}
	return section->items[low];
}

struct vg_item *vg_object_item_named(const struct vg_object *object, const char *name)
{
	for (size_t i = 1; i < object->symbol_count; i++)
		if (object->symbols[i].item && !strcmp(object->symbols[i].name, name))
			return object->symbols[i].item;
	return NULL;
}
