/* SPDX-License-Identifier: MIT */
/* A function in a shared library that a target loads and unloads while it runs. */
int fourth(void);

__asm__(".text\n"
	".p2align 4\n"
	".globl fourth\n.type fourth, @function\n"
	"fourth: .cfi_startproc\n movl $1, %eax\n ret\n .cfi_endproc\n.size fourth, .-fourth\n");
