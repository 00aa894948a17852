/* SPDX-License-Identifier: MIT */
/*
 * A compiled object (ET_REL) as the differ sees it: sections, symbols and relocations, and the
 * *items* that the sections consist of. An item is what a compiler places and a linker moves as a
 * whole: a function, a variable, one string of a string pool, one constant of a constant pool, or
 * what lies between those without a name (switch tables, initialisers of local arrays).
 * A symbol that the object does not define is an item as well, without a section.
 *
 * Everything that the code of an object refers to is an offset in an item; that is what pre, post
 * and target have in common, wherever their sections lie.
 */
#ifndef DIFFER_OBJECT_FILE_H
#define DIFFER_OBJECT_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "common/elf_file.h"
#include "differ/arena.h"

enum vg_item_kind {
	VG_ITEM_UNDEFINED,
	VG_ITEM_FUNCTION,
	VG_ITEM_VARIABLE,  /* named data, read-only or not */
	VG_ITEM_STRING,	   /* one string of a mergeable string section */
	VG_ITEM_CONSTANT,  /* one entry of a mergeable constant section */
	VG_ITEM_ANONYMOUS, /* read-only or not, reached by section and offset only */
};

struct vg_object;
struct vg_listing;
struct vg_place;

struct vg_item {
	enum vg_item_kind kind;
	struct vg_object *object;
	struct vg_object_section *section; /* NULL: undefined */
	struct vg_object_symbol *symbol;   /* the first of its names, or NULL */
	const char *name;		   /* linker symbol, or NULL */
	const char *base;		   /* name without clone suffix and static-local number */
	const char *source;    /* name in the source: base without version (target_clones) */
	uint64_t offset, size; /* in the section */
	size_t index;	       /* in object->items */

	struct vg_item *twin; /* the same thing in the other object of the pair */
	bool ambiguous;	      /* may have a twin, but which one cannot be told */
	bool is_shared;	      /* cut off as .part, and other functions call it too */

	struct vg_item **users; /* items that refer to this one, ascending */
	size_t user_count, user_room;
	int64_t *starts; /* anonymous: offsets whose address is taken, ascending */
	size_t start_count, start_room;

	struct vg_listing *listing; /* functions: decoded on demand */
	bool is_undecodable;	    /* no valid instructions */
	bool is_asked;		    /* differ/safety_endless.c: whether it comes back */
	bool never_returns;	    /* the answer; false while it is not known */
	int comparison;		    /* differ/changes.c: enum vg_verdict */
	struct vg_site *sites;	    /* pre: what matched code says of it, newest first */
	bool sites_are_sought;
	struct vg_match *match; /* pre: where the code lies in the target */
	struct vg_piece *piece; /* post: its copy in the patch */
	struct vg_reach *reach; /* post: how the patch refers to it */
};

struct vg_object_reloc {
	uint64_t offset;
	uint32_t type;
	struct vg_object_symbol *symbol; /* never NULL; the null symbol stands for none */
	int64_t addend;
};

/* Where a section lies in the target. */
struct vg_block {
	enum { VG_BLOCK_UNTRIED, VG_BLOCK_UNKNOWN, VG_BLOCK_FOUND } state;
	uint64_t base;
	size_t places;	  /* at which all of its functions match */
	bool is_supposed; /* found only for as long as a place of the whole object is tried */
};

/* What a record of .eh_frame covers. */
struct vg_frame {
	struct vg_item *item;
	uint64_t size;
};

/* All records of an object, in their order, and where they stand in the target's .eh_frame. */
struct vg_frames {
	enum { VG_FRAMES_UNREAD, VG_FRAMES_NOWHERE, VG_FRAMES_AMBIGUOUS, VG_FRAMES_FOUND } state;
	struct vg_frame *at;
	size_t count;	/* 0: none, or some cover what is no item */
	size_t *places; /* where the first one may stand: indices of target->frames */
	size_t place_count, place_room;
};

struct vg_object_section {
	const char *name;
	size_t index;
	uint32_t type;
	uint64_t flags, size, align, entry_bytes;
	const uint8_t *data;		/* NULL: no contents (SHT_NOBITS) */
	struct vg_object_reloc *relocs; /* ascending offsets */
	size_t reloc_count;
	struct vg_item **items; /* ascending offsets */
	size_t item_count;
	struct vg_block block; /* code of a plain object: see vg_match_block() */
};

struct vg_object_symbol {
	const char *name;
	uint8_t type, binding, visibility;
	uint16_t raw_section;		   /* st_shndx */
	struct vg_object_section *section; /* NULL: undefined, absolute, common */
	uint64_t value, size;
	struct vg_item *item; /* NULL: sections, files and the like */
};

struct vg_object {
	const char *path;
	const char *file; /* source file, as the unit names it */
	struct vg_arena *arena;
	struct vg_elf *elf;
	struct vg_object_section *sections;
	size_t section_count;
	struct vg_object_symbol *symbols;
	size_t symbol_count;
	struct vg_item **items; /* ascending sections and offsets, then undefined symbols */
	size_t item_count, item_room;
	struct vg_frames frames; /* see vg_match_frames() */
};

/* The object belongs to the arena, but vg_object_close() must release its file. */
VG_MUST_CHECK struct vg_error *vg_object_read(struct vg_arena *arena, const char *path,
					      const char *file, struct vg_object **object);
void vg_object_close(struct vg_object *object); /* NULL is allowed */

/* object_item.c: splits the sections into items; called by vg_object_read(). */
VG_MUST_CHECK struct vg_error *vg_object_find_items(struct vg_object *object);
/* object_frames.c: the records of .eh_frame, into object->frames. */
VG_MUST_CHECK struct vg_error *vg_object_read_frames(struct vg_object *object);
/* object_users.c: fills item->users; called by vg_object_read(). */
VG_MUST_CHECK struct vg_error *vg_object_find_users(struct vg_object *object);
/*
 * The item that a reference to `offset` of a section means; NULL if the section has none. An offset
 * at the very end of an item that nothing follows, or in front of the first, means that item:
 * compilers form such addresses for loop bounds.
 */
struct vg_item *vg_object_item_at(const struct vg_object_section *section, uint64_t offset);
/* By linker symbol; NULL if there is none. */
struct vg_item *vg_object_item_named(const struct vg_object *object, const char *name);

/* Anonymous: where the table or array begins that `offset` lies in, and where the next one does. */
int64_t vg_item_start(const struct vg_item *item, int64_t offset);
int64_t vg_item_next_start(const struct vg_item *item, int64_t offset);

bool vg_section_is_code(const struct vg_object_section *section);
bool vg_section_is_writable(const struct vg_object_section *section); /* while the program runs */
bool vg_section_is_thread_local(const struct vg_object_section *section);
bool vg_section_is_loaded(const struct vg_object_section *section);
bool vg_item_is_local(const struct vg_item *item);
bool vg_item_is_weak(const struct vg_item *item);
bool vg_item_is_function(const struct vg_item *item);
bool vg_item_is_writable(const struct vg_item *item);
const uint8_t *vg_item_bytes(const struct vg_item *item); /* NULL: zero, or undefined */
/* Of a place in the item: the alignment of the section, as far as the offset keeps it. */
uint64_t vg_item_align(const struct vg_item *item, int64_t offset);
/* The relocations inside the item; *count is set. */
struct vg_object_reloc *vg_item_relocs(const struct vg_item *item, size_t *count);
size_t vg_reloc_bytes(uint32_t type); /* of the field that it fills */
/* Name for people: the symbol, or "string \"…\"", "constant at .rodata.cst8+0x8". */
const char *vg_item_text(const struct vg_item *item);

#endif
