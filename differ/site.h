/* SPDX-License-Identifier: MIT */
/*
 * Reading the target through compiled code. Where an instruction of the pre object has a field
 * that the linker filled, the target's bytes tell what it was filled with. The linker may also have
 * rewritten the instruction (System V ABI x86-64, B.2 and the TLS document's relaxations):
 *
 *   mov  foo@GOTPCREL(%rip), %r     ->  lea foo(%rip), %r      or  mov $foo, %r
 *   op   foo@GOTPCREL(%rip), %r     ->  op $foo, %r
 *   call *foo@GOTPCREL(%rip)        ->  addr32 call foo        or  call foo; nop
 *   jmp  *foo@GOTPCREL(%rip)        ->  jmp foo; nop
 *   mov  x@GOTTPOFF(%rip), %r       ->  mov $x@TPOFF, %r
 *   add  x@GOTTPOFF(%rip), %r       ->  add $x@TPOFF, %r       or  lea x@TPOFF(%r), %r
 *   lea  x@TLSGD(%rip), %rdi        ->  mov %fs:0, %rax
 *   call __tls_get_addr             ->  lea x@TPOFF(%rax), %rax    or  add x@GOTTPOFF(%rip), %rax
 *   lea  x@TLSLD(%rip), %rdi
 *   call __tls_get_addr             ->  mov %fs:0, %rax; x@DTPOFF is x@TPOFF then
 */
#ifndef DIFFER_SITE_H
#define DIFFER_SITE_H

#include "differ/listing.h"

enum vg_site_kind {
	VG_SITE_ADDRESS,	/* the item's address */
	VG_SITE_CALL,		/* where calls to it go: its address or a PLT entry */
	VG_SITE_SLOT,		/* the GOT slot through which it is reached */
	VG_SITE_TPOFF,		/* its offset from the thread pointer */
	VG_SITE_DTPOFF,		/* its offset in the module's thread-local block */
	VG_SITE_TLS_PAIR,	/* the two GOT words for __tls_get_addr: module and offset */
	VG_SITE_TLS_MODULE,	/* the same for the module itself, with offset 0 */
	VG_SITE_TLS_DESCRIPTOR, /* the two GOT words of its TLS descriptor */
};

/* What one matched place of use says about an item. */
struct vg_site {
	struct vg_site *next;
	enum vg_site_kind kind;
	uint64_t value; /* of the item's start; for a slot, the slot's address */
	struct vg_item *user;
	uint64_t user_offset; /* of the instruction */
};

struct vg_site_value {
	bool is_known;
	enum vg_site_kind kind;
	uint64_t value;
};

/*
 * Do the bytes of the target at `address` come from this instruction? Fills one value for each
 * reference of the line. `code` are the bytes of the pre object.
 */
bool vg_site_read(const struct vg_line *line, const uint8_t *code, const uint8_t *target,
		  uint64_t address, struct vg_site_value values[2]);

#endif
