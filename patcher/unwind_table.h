/* SPDX-License-Identifier: MIT */
/*
 * The part of a patch area that is for unwinders (<vgraft/area.h>: unwind_offset).
 *
 *   + 0                   find_object: what the target's _dl_find_object slots lead to
 *   + VG_FIND_OBJECT_BYTES  .eh_frame_hdr: an index of all FDEs of the area (LSB 5.0, ch. 10.6.2)
 *   + …                   .eh_frame: a CIE, an FDE for each stub, one for find_object
 *
 * The FDEs of the patch's own code and of displaced instructions lie in TEXT, where the differ put
 * them; the index leads to them too.
 *
 *   int find_object(void *pc, struct dl_find_object *result):
 *                endbr64
 *                lea   start(%rip), %rax        of the area's code
 *                mov   %rdi, %rcx
 *                sub   %rax, %rcx
 *                cmp   $bytes, %rcx
 *                jae   2f
 *                push  %rsi
 *                movabs $module, %rdi           for flags and link map: as the patched module's
 *                call  *next(%rip)
 *                pop   %rsi
 *                test  %eax, %eax
 *                jne   1f
 *                lea   start(%rip), %rcx
 *                mov   %rcx, 8(%rsi)            dlfo_map_start
 *                lea   end(%rip), %rcx
 *                mov   %rcx, 16(%rsi)           dlfo_map_end
 *                lea   index(%rip), %rcx
 *                mov   %rcx, 32(%rsi)           dlfo_eh_frame
 *             1: ret
 *             2: jmp   *next(%rip)
 *
 * It takes no lock and allocates nothing, as _dl_find_object() itself: unwinders call it from
 * signal handlers.
 */
#ifndef PATCHER_UNWIND_TABLE_H
#define PATCHER_UNWIND_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

#include "common/patch_object.h"

#define VG_UNWIND_ALIGN	     16
#define VG_FIND_OBJECT_BYTES 96 /* the code, padded */

/* FDEs that the object has for the TEXT segment of a module. VG_REFUSED: they are damaged. */
VG_MUST_CHECK struct vg_error *vg_unwind_count(const struct vg_patch *patch, unsigned module,
					       size_t *records);
/* Bytes of the whole part. */
uint64_t vg_unwind_bytes(size_t functions, size_t records);

/* All addresses are in the target. */
struct vg_unwind_table {
	uint64_t address; /* of the part */
	uint64_t stubs;
	size_t functions;
	uint64_t code_end;   /* the area's code is [stubs, code_end) */
	uint64_t next;	     /* of the word vga_registration.next */
	uint64_t module;     /* any address in the patched module */
	const uint8_t *text; /* relocated, or NULL */
	size_t text_bytes;
	uint64_t text_address;
};

VG_MUST_CHECK struct vg_error *vg_unwind_write(const struct vg_patch *patch, unsigned module,
					       const struct vg_unwind_table *table, uint8_t *bytes);

#endif
