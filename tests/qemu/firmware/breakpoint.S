/* SPDX-License-Identifier: MIT */
/*
 * Sets a breakpoint on an instruction of its handler for system management mode, then enters that.
 * Entering clears DR7 (Intel SDM 3, section 32.4.2), so that the breakpoint must not fire.
 */
#include "tests/qemu/firmware/copy.h"
#include "tests/qemu/firmware/words.h"

#define SMM_SEGMENT 0x3000 /* the SMBASE of reset, and in it: */
#define SMM_ENTRY   0x8000
#define BODY	    0x600 /* where linear address and instruction pointer are the same */
#define APM_CONTROL 0xb2

	.code16
start:
	cli
	xor	%ax, %ax
	mov	%ax, %ss
	mov	$0x7000, %sp
	copy	handler, handler_end, SMM_SEGMENT, SMM_ENTRY
	copy	body, body_end, 0, BODY
	xor	%ax, %ax
	mov	%ax, %ds
	movw	$debug, 4		/* exception 1 */
	movw	%cs, 6
	mov	$(BODY + watched - body), %eax
	mov	%eax, %db0
	mov	$0x403, %eax		/* breakpoint 0, execution */
	mov	%eax, %db7
wait:
	cmpl	$1, WORD_GO
	jne	wait
	out	%al, $APM_CONTROL
stay:
	hlt
	jmp	stay

debug:
	push	%bp
	push	%ds
	mov	%sp, %bp
	incw	4(%bp)			/* over the instruction: it has one byte */
	xor	%bp, %bp
	mov	%bp, %ds
	movl	$1, WORD_FIRED
	pop	%ds
	pop	%bp
	iret

handler:
	ljmp	$0, $BODY
handler_end:

body:
	xor	%ax, %ax
	mov	%ax, %ds
watched:
	nop
	movl	$1, WORD_SURVIVED
	rsm
body_end:

	.org	0xfff0
	ljmp	$0xf000, $start
	.org	0xffff
	.byte	0
