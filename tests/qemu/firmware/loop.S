/* SPDX-License-Identifier: MIT */
/*
 * Runs an instruction in RAM that jumps to itself, with nothing that could interrupt the processor:
 * it leaves the loop when another one changes the instruction.
 */
#include "tests/qemu/firmware/copy.h"
#include "tests/qemu/firmware/words.h"

	.code16
start:
	cli
	mov	$0xff, %al
	out	%al, $0x21		/* both interrupt controllers */
	out	%al, $0xa1
	copy	body, body_end, 0, LOOP_CODE
	xor	%ax, %ax
	mov	%ax, %ds
wait:
	cmpl	$1, WORD_GO
	jne	wait
	movl	$1, WORD_READY
	ljmp	$0, $LOOP_CODE

body:
	jmp	body
	movl	$1, WORD_SURVIVED
stay:
	hlt
	jmp	stay
body_end:

	.org	0xfff0
	ljmp	$0xf000, $start
	.org	0xffff
	.byte	0
