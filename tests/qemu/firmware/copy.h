/* SPDX-License-Identifier: MIT */
/* From the firmware's own code to memory; ES and AX are used up. */
	.macro	copy from, to, segment, offset
	mov	$\segment, %ax
	mov	%ax, %es
	mov	$\from, %si
	mov	$\offset, %di
	mov	$(\to - \from), %cx
	rep movsb %cs:(%si), %es:(%di)
	.endm
