/* SPDX-License-Identifier: MIT */
/*
 * The functions that the patcher's live tests change. They are written in assembler, so that a test
 * can say exactly which bytes a patch displaces: each starts with one instruction of 5 bytes.
 */
#ifndef TESTS_LIVE_TARGETS_PATCHER_FUNCTIONS_H
#define TESTS_LIVE_TARGETS_PATCHER_FUNCTIONS_H

int first(void);
int second(void);

__asm__(".text\n"
	".p2align 4\n"
	".globl first\n.type first, @function\n"
	"first: .cfi_startproc\n movl $1, %eax\n ret\n .cfi_endproc\n.size first, .-first\n"
	".p2align 4\n"
	".globl second\n.type second, @function\n"
	"second: .cfi_startproc\n movl $1, %eax\n ret\n .cfi_endproc\n.size second, .-second\n");

#endif
