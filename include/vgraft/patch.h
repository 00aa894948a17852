/* SPDX-License-Identifier: MIT */
/*
 * The patch object: the only place where the differ and the patcher meet.
 *
 *   +--------------------+ 0
 *   | vgp_header         |  magic, version, size, SHA-256 over the whole file, section count
 *   +--------------------+ header_bytes
 *   | vgp_section[]      |  type, offset, bytes: one entry for each section, ascending offsets
 *   +--------------------+
 *   | sections           |  8-byte aligned arrays of the records below, and raw bytes
 *   +--------------------+ file_bytes
 *
 * Little-endian, x86-64 (System V ABI). All offsets and sizes are in bytes. "Module" is an ELF file
 * that the target maps; an address in a module is a virtual address as in its program headers
 * (st_value), to which the patcher adds the load bias (0 for a non-PIE executable).
 *
 * Each module that a patch touches gets one patch area in the target (see <vgraft/area.h>), in
 * reach (+-2 GiB) of the module's code. Into it go the module's segments: TEXT (code, read-only
 * data, stubs, GOT slots, .eh_frame; mapped read-execute) and DATA (new writable variables).
 *
 * Nothing about the target has to be looked up when a patch is applied except the load bias and
 * the addresses of imports: every other reference is a relocation against a module address.
 *
 * Everything here is validated once by vg_patch_parse() (common/patch_object.h); code behind it
 * may rely on indices, offsets and strings being in range.
 */
#ifndef VGRAFT_PATCH_H
#define VGRAFT_PATCH_H

#include <assert.h>
#include <stdint.h>

#define VGP_MAGIC	 "VGRAFT\r\n" /* 8 bytes, no NUL; CR LF shows a transfer in text mode */
#define VGP_VERSION	 1
#define VGP_MAX_BYTES	 (256u << 20) /* a larger file is refused */
#define VGP_MAX_ENTRY	 24	      /* 4 bytes + the longest instruction (15, Intel SDM vol. 2) */
#define VGP_JUMP_BYTES	 5	      /* jmp rel32, the bytes that arming an entry overwrites */
#define VGP_MAX_BUILD_ID 32

enum vgp_header_flags {
	VGP_REPLACE = 1 << 0, /* cumulative: takes out all other patches in the same stop */
	VGP_LOW_2G = 1 << 1,  /* has 32-bit absolute relocations against its own segments */
	/* With VGP_REPLACE: the shadow variables of the replaced patches may be lost. */
	VGP_DROPS_SHADOWS = 1 << 2,
};

struct vgp_header {
	char magic[8];
	uint32_t version;
	uint32_t header_bytes; /* sizeof(struct vgp_header) */
	uint32_t file_bytes;
	uint16_t machine; /* EM_X86_64 (System V ABI, ch. 4) */
	uint16_t flags;	  /* enum vgp_header_flags */
	uint32_t section_count;
	uint32_t reserved;    /* 0 */
	uint8_t checksum[32]; /* SHA-256 of the file with these 32 bytes taken as zero */
};

enum vgp_section_type {
	VGP_STRINGS = 1,    /* NUL-terminated strings; offset 0 is "" */
	VGP_INFO = 2,	    /* one vgp_info */
	VGP_DEPENDS = 3,    /* uint32_t[]: names (string offsets) of patches that must be applied */
	VGP_MODULES = 4,    /* vgp_module[] */
	VGP_SEGMENTS = 5,   /* vgp_segment[] */
	VGP_CONTENTS = 6,   /* raw bytes of the segments */
	VGP_FUNCTIONS = 7,  /* vgp_function[] */
	VGP_PARTS = 8,	    /* vgp_part[] */
	VGP_IMPORTS = 9,    /* vgp_import[] */
	VGP_RELOCS = 10,    /* vgp_reloc[] */
	VGP_VARIABLES = 11, /* vgp_variable[] */
	VGP_UNWIND = 12,    /* vgp_unwind[], one for each TEXT segment that has .eh_frame */
	VGP_HOOKS = 13,	    /* vgp_hook[] */
	VGP_SHADOWS = 14,   /* one vgp_shadow_table, if the patch has shadow variables */
	/* A reader refuses a type it does not know: it might be one that safety depends on. */
};

struct vgp_section {
	uint32_t type;	   /* enum vgp_section_type, each at most once */
	uint32_t offset;   /* from the start of the file, a multiple of 8 */
	uint32_t bytes;	   /* a multiple of the record's size */
	uint32_t reserved; /* 0 */
};

struct vgp_info {
	uint32_t name;	   /* string: the patch's name, [A-Za-z0-9._+-]{1,63} */
	uint32_t cve;	   /* string: comma-separated identifiers, or "" */
	uint32_t producer; /* string: tool and compiler, for people */
	uint32_t reserved;
};

enum vgp_module_flags {
	VGP_MODULE_EXECUTABLE = 1 << 0, /* the main program; otherwise a shared library */
	VGP_MODULE_FIXED = 1 << 1,	/* ET_EXEC: load bias is always 0 */
};

struct vgp_module {
	uint32_t name; /* string: DT_SONAME, or the file's base name */
	uint16_t flags;
	uint16_t build_id_bytes; /* 1 .. VGP_MAX_BUILD_ID: without a build-id nothing is built */
	uint8_t build_id[VGP_MAX_BUILD_ID];
};

enum vgp_segment_kind {
	VGP_TEXT = 1, /* mapped read-execute, written by the tool alone */
	VGP_DATA = 2, /* mapped read-write, private to the patch */
};

/* At most one TEXT and one DATA segment for each module. */
struct vgp_segment {
	uint16_t module;
	uint16_t kind;		 /* enum vgp_segment_kind */
	uint32_t align;		 /* power of two, at most 4096; the segment starts so aligned */
	uint32_t memory_bytes;	 /* >= content_bytes; the rest is zero */
	uint32_t content_offset; /* in VGP_CONTENTS */
	uint32_t content_bytes;
	uint32_t reserved;
};

enum vgp_function_kind {
	VGP_CHANGED = 1, /* has an entry in the module that is armed */
	VGP_NEW = 2,	 /* exists only in the patch */
};

struct vgp_function {
	uint32_t name; /* string, as in the source: no clone suffix */
	uint32_t file; /* string: source file, relative to the source tree */
	uint16_t module;
	uint8_t kind;	     /* enum vgp_function_kind */
	uint8_t entry_bytes; /* CHANGED: bytes of whole instructions displaced from the entry, 5 ..
				24 */
	uint32_t new_offset; /* of the new code in the module's TEXT segment */
	uint32_t new_bytes;
	uint32_t displaced_offset; /* CHANGED: in TEXT, the displaced instructions and the jump back
				    */
	uint64_t old_address;	   /* CHANGED: module address of the entry */
	uint32_t old_bytes; /* CHANGED: size of the old code at old_address, padding not counted */
	uint32_t symbol;    /* string: linker symbol, clone suffix included */
	uint8_t entry[VGP_MAX_ENTRY]; /* CHANGED: the bytes that must stand at old_address */
};

/* A piece that belongs to a function (foo.cold, foo.part.0) and lies elsewhere. */
struct vgp_part {
	uint32_t function;    /* index */
	uint32_t name;	      /* string: linker symbol */
	uint64_t old_address; /* 0 if the old code has no such piece */
	uint32_t old_bytes;
	uint32_t new_offset; /* in the module's TEXT segment */
	uint32_t new_bytes;  /* 0 if the new code has no such piece */
	uint32_t reserved;
};

enum vgp_import_flags {
	VGP_IMPORT_FUNCTION = 1 << 0, /* called; an IFUNC binds to what the target's linker chose */
	VGP_IMPORT_WEAK = 1 << 1,     /* 0 if nothing defines it */
	/*
	 * A new function (by its linker symbol) or variable that another patch brought: soname is
	 * the name of that patch, which is among the dependencies; version is the source file.
	 */
	VGP_IMPORT_PATCH = 1 << 2,
};

/* A symbol of another module (or patch), bound in the target by name, soname and version. */
struct vgp_import {
	uint32_t name;	  /* string */
	uint32_t soname;  /* string; "" = search the global scope in load order */
	uint32_t version; /* string, e.g. "GLIBC_2.14"; "" = the default version */
	uint16_t flags;
	uint16_t module; /* the module whose GOT slot `slot` is */
	uint64_t slot;	 /* module address of a GOT slot bound to the symbol, 0 = none */
};

enum vgp_reloc_type {
	VGP_ABS64 = 1,	/* S + A, 8 bytes */
	VGP_ABS32 = 2,	/* S + A, 4 bytes, must fit zero-extended */
	VGP_ABS32S = 3, /* S + A, 4 bytes, must fit sign-extended */
	VGP_PC32 = 4,	/* S + A - P, 4 bytes, must fit sign-extended */
	VGP_PC64 = 5,	/* S + A - P, 8 bytes */
	VGP_TPOFF32 =
		6, /* A only: offset from the thread pointer, fixed when the target was linked */
	VGP_TPOFF64 = 7,
};

enum vgp_reloc_base {
	VGP_BASE_NONE = 0,    /* S = 0 (VGP_TPOFF*) */
	VGP_BASE_MODULE = 1,  /* S = load bias of module `index` */
	VGP_BASE_SEGMENT = 2, /* S = address of segment `index` in the target */
	VGP_BASE_IMPORT = 3,  /* S = address of import `index` */
};

struct vgp_reloc {
	uint32_t offset;  /* P: in the segment */
	uint16_t segment; /* index of the segment that is written */
	uint8_t type;	  /* enum vgp_reloc_type */
	uint8_t base;	  /* enum vgp_reloc_base */
	uint32_t index;
	uint32_t name;	/* string: the symbol, for people; may be "" */
	int64_t addend; /* A */
};

/* A variable that the patch brings. */
struct vgp_variable {
	uint32_t name;
	uint32_t file;
	uint32_t segment; /* index */
	uint32_t offset;
	uint32_t bytes;
	uint32_t reserved;
};

/* Call frame information of a TEXT segment: .eh_frame, zero-terminated (LSB 5.0, ch. 10.6). */
struct vgp_unwind {
	uint32_t segment; /* index */
	uint32_t offset;
	uint32_t bytes;
	uint32_t reserved;
};

enum vgp_hook_when {
	VGP_PRE_APPLY = 1,
	VGP_POST_APPLY = 2,
	VGP_PRE_REVERT = 3,
	VGP_POST_REVERT = 4,
};

/*
 * A function without arguments that returns two words (rax, rdx): the second is the verdict of a
 * pre hook. It stays on the stack until the hook is done.
 */
struct vgp_hook {
	uint32_t when;	  /* enum vgp_hook_when */
	uint32_t segment; /* index of a TEXT segment */
	uint32_t offset;  /* of the function */
	uint32_t bytes;	  /* of the function: a return address in it says that it runs */
	uint32_t name;
	uint32_t reserved;
};

/*
 * The table of shadow variables (<vgraft/hooks.h>), so that a patch that replaces this one can take
 * them over. In layout 1 there are, in a DATA segment:
 *
 *   uint64_t keys[count]     object | id << 48; 0: never used, 1: was freed
 *   uint32_t sizes[count]    in bytes, of what was attached; at most `bytes`
 *   values[count]            `bytes` each, from the next multiple of 16 on
 *
 * A key is at VGRAFT_SHADOW_HASH(key) % count, or at the first place behind that (the first one
 * follows the last) which no other key has; before it there is no key 0.
 */
#define VGP_SHADOW_LAYOUT 1
struct vgp_shadow_table {
	uint32_t segment; /* index of a DATA segment */
	uint32_t offset;  /* a multiple of 16 */
	uint32_t count;	  /* of variables that there is room for */
	uint32_t bytes;	  /* room for each, a multiple of 16 */
	uint32_t layout;  /* VGP_SHADOW_LAYOUT: a reader refuses one it does not know */
	uint32_t reserved;
};
/* Offset of the values from the start of the table. */
static inline uint64_t vgp_shadow_values(uint32_t count)
{
	return (count * (uint64_t)(sizeof(uint64_t) + sizeof(uint32_t)) + 15) & ~15ull;
}

static_assert(sizeof(struct vgp_header) == 64, "written to disk");
static_assert(sizeof(struct vgp_section) == 16, "written to disk");
static_assert(sizeof(struct vgp_info) == 16, "written to disk");
static_assert(sizeof(struct vgp_module) == 40, "written to disk");
static_assert(sizeof(struct vgp_segment) == 24, "written to disk");
static_assert(sizeof(struct vgp_function) == 64, "written to disk");
static_assert(sizeof(struct vgp_part) == 32, "written to disk");
static_assert(sizeof(struct vgp_import) == 24, "written to disk");
static_assert(sizeof(struct vgp_reloc) == 24, "written to disk");
static_assert(sizeof(struct vgp_variable) == 24, "written to disk");
static_assert(sizeof(struct vgp_unwind) == 16, "written to disk");
static_assert(sizeof(struct vgp_hook) == 24, "written to disk");
static_assert(sizeof(struct vgp_shadow_table) == 24, "written to disk");

#endif
