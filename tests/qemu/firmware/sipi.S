/* SPDX-License-Identifier: MIT */
/*
 * The first processor sends the second one into system management mode, and there a start-up
 * interrupt, which must not start it. Intel SDM 3, section 11.6.1 (the interrupt command register),
 * 9.4.3 (the protocol), 32.3.1.
 */
#include "tests/qemu/firmware/copy.h"
#include "tests/qemu/firmware/words.h"

#define SMM_SEGMENT 0x3000 /* the SMBASE of reset, and in it: */
#define SMM_ENTRY   0x8000
#define START	    0x7000 /* vector 7 */
#define APIC	    0xfee00000
#define SPURIOUS    (APIC + 0xf0)
#define COMMAND_LOW (APIC + 0x300)
#define COMMAND_TO  (APIC + 0x310)
#define SEND_SMI    0x4200
#define SEND_SIPI   (0x4600 | START >> 12)
#define IS_FIRST    0x100 /* of IA32_APIC_BASE */

	.code16
start:
	cli
	mov	$0x1b, %ecx
	rdmsr
	test	$IS_FIRST, %ax
	jz	stay
	copy	handler, handler_end, SMM_SEGMENT, SMM_ENTRY
	copy	started, started_end, 0, START
	xor	%ax, %ax
	mov	%ax, %ds
	mov	$0x1ff, %eax
	addr32 mov %eax, SPURIOUS
wait:
	cmpl	$1, WORD_GO
	jne	wait
	mov	$(1 << 24), %eax	/* processor 1 */
	addr32 mov %eax, COMMAND_TO
	mov	$SEND_SMI, %eax
	addr32 mov %eax, COMMAND_LOW
entered:
	cmpl	$1, WORD_READY
	jne	entered
	mov	$SEND_SIPI, %eax
	addr32 mov %eax, COMMAND_LOW
	movl	$1, WORD_SENT
stay:
	hlt
	jmp	stay

	/* The interrupt was sent before the word was written; each jump is a place to take it. */
handler:
	xor	%ax, %ax
	mov	%ax, %ds
	movl	$1, WORD_READY
held:
	cmpl	$1, WORD_SENT
	jne	held
	mov	$1000, %cx
more:
	loop	more
	movl	$1, WORD_SURVIVED
	rsm
handler_end:

started:
	xor	%ax, %ax
	mov	%ax, %ds
	movl	$1, WORD_FIRED
stopped:
	hlt
	jmp	stopped
started_end:

	.org	0xfff0
	ljmp	$0xf000, $start
	.org	0xffff
	.byte	0
