/* SPDX-License-Identifier: MIT */
/* A function in a shared library, for patches that change several modules. */
int third(void);

__asm__(".text\n"
	".p2align 4\n"
	".globl third\n.type third, @function\n"
	"third: .cfi_startproc\n movl $1, %eax\n ret\n .cfi_endproc\n.size third, .-third\n");
