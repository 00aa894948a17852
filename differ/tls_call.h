/* SPDX-License-Identifier: MIT */
/*
 * Calls of __tls_get_addr, two instructions that linkers rewrite as one when they make an
 * executable (ELF Handling For Thread-Local Storage, 5.5; System V ABI x86-64, B.2 for the calls by
 * GOT slot).
 */
#ifndef DIFFER_TLS_CALL_H
#define DIFFER_TLS_CALL_H

#include <stdint.h>

#include "differ/listing.h"

enum vg_tls_form {
	VG_TLS_CALL,	     /* as it was compiled, or something else altogether */
	VG_TLS_LOCAL_EXEC,   /* mov %fs:0, %rax; lea x@TPOFF(%rax), %rax */
	VG_TLS_INITIAL_EXEC, /* mov %fs:0, %rax; add x@GOTTPOFF(%rip), %rax */
	VG_TLS_BLOCK,	     /* local dynamic: mov %fs:0, %rax with prefixes; what counted from the
				module's block counts from the thread pointer then */
};

/* In both forms of general dynamic: where the four bytes of the offset are. */
#define VG_TLS_FIELD 12

/* What the lines of the listing have to do with such calls: fills tls_bytes and tls_done. */
void vg_tls_mark(struct vg_line *lines, size_t count);

/* Which form are these bytes? `bytes`: of both instructions. */
enum vg_tls_form vg_tls_form(const uint8_t *code, unsigned bytes);
/* Writes that form; the field is left for the caller to fill. */
void vg_tls_write(uint8_t *code, unsigned bytes, enum vg_tls_form form);

#endif
