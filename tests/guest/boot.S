/* SPDX-License-Identifier: MIT */
/*
 * Every way into CPL0 and the one way out of it.
 *
 *   PVH entry (32-bit, paging off) ─┐
 *   SIPI (real mode, at 0x8000) ────┴─> long mode ─> kernel_start(cpu) ─> enter_user
 *   ud2, interrupt, exception ──────> C ─> iretq
 *
 * A paravirtual KVM emulates each CPL0 instruction, and only some of them; so there is little code
 * here, and check-cpl0 looks at all of it. Such a host runs CPL3 on page tables one page above CR3:
 * hence the second, identical top-level page. CPL0 keeps nothing in GS, because an emulated iretq
 * swaps it and a real one does not.
 */
#include "tests/guest/kernel.h"

#define CR0_LONG_MODE 0x80000033 /* PG NE ET MP PE */
#define CR4_LONG_MODE 0x620      /* OSXMMEXCPT OSFXSR PAE */
#define MSR_EFER      0xc0000080
#define EFER_LME      0x100

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	pvh_start

	.section .boot16, "ax"
	.code16
	.globl	ap_trampoline, ap_trampoline_end
ap_trampoline:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	AP_TRAMPOLINE + (ap_gdt_pointer - ap_trampoline)
	movl	$0x11, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE32, $ap_start
	.balign	8
ap_gdt_pointer:
	.word	GDT_BYTES - 1
	.long	gdt
ap_trampoline_end:

	.section .boot32, "ax"
	.code32
	.globl	pvh_start
pvh_start:
	cli
	cld
	movl	%ebx, start_info
	lgdtl	gdt_pointer
ap_start:
	movl	$CR4_LONG_MODE, %eax
	movl	%eax, %cr4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	movl	$EFER_LME, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$CR0_LONG_MODE, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_CODE64, $long_start

	.section .kernel.text, "ax"
	.code64
long_start:
	movl	$SEL_DATA, %eax
	movl	%eax, %ss
	movl	%eax, %ds
	movl	%eax, %es
	movl	$1, %edi
	lock xaddl %edi, cpus_started /* a ticket: no two CPUs take the same stack */
	cmpl	$MAX_CPUS, %edi
	jae	1f
	leal	1(%rdi), %eax
	shll	$KERNEL_STACK_SHIFT, %eax
	leaq	kernel_stacks(%rax), %rsp
	call	kernel_start
1:	cli
	hlt
	jmp	1b

/* enter_user(cpu, entry, stack) */
	.globl	enter_user
enter_user:
	pushq	$SEL_USER_DATA
	pushq	%rdx
	pushq	$0x202 /* IF */
	pushq	$SEL_USER_CODE
	pushq	%rsi
	xorl	%ebp, %ebp
	iretq

/*
 * A system call is ud2 with CALL_MAGIC in r10, rax the number, rdi and rsi the arguments. It comes
 * in as exception 6, because that is what enters CPL0 everywhere: on a paravirtual KVM `syscall`
 * reaches its handler but leaves the vCPU at CPL3, where ports fault, and `int n` faults itself.
 */
call_entry:
	cmpl	$CALL_MAGIC, %r10d
	jne	2f
	testb	$3, 8(%rsp)
	jz	2f
	addq	$2, (%rsp) /* past the ud2 */
	cld
	movq	%rax, %rdx
	subq	$8, %rsp
	call	kernel_call_entry
	addq	$8, %rsp
	iretq
2:	pushq	$0
	pushq	$VECTOR_CALL
	jmp	exception

.macro irq_entry name, handler
	.globl	\name
\name:
	pushq	%rax
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	cld
	call	\handler
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rax
	iretq
.endm

	irq_entry disk_interrupt, kernel_disk_interrupt
	irq_entry timer_interrupt, kernel_timer_interrupt

	.globl	spurious_interrupt
spurious_interrupt:
	iretq

/* 32 stubs, 16 bytes each; the frame then always reads: vector, error code, rip, cs, ... */
	.globl	exception_stubs
	.balign	16
exception_stubs:
	.set	vector, 0
	.rept	32
	.balign	16
	.if	vector == VECTOR_CALL
	jmp	call_entry
	.endif
	.if	!((0x60227d00 >> vector) & 1) /* the CPU pushes no error code for this one */
	pushq	$0
	.endif
	pushq	$vector
	jmp	exception
	.set	vector, vector + 1
	.endr

exception:
	movq	%rsp, %rdi
	andq	$-16, %rsp
	call	kernel_exception

/* memset and memcpy as the compiler asks for them, for both sides. */
	.globl	memset, memcpy
memset:
	movq	%rdi, %r9
	movl	%esi, %eax
	movq	%rdx, %rcx
	rep stosb
	movq	%r9, %rax
	ret
memcpy:
	movq	%rdi, %rax
	movq	%rdx, %rcx
	rep movsb
	ret

	.data
	.balign	8
	.globl	gdt
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff /* SEL_CODE32 */
	.quad	0x00af9b000000ffff /* SEL_CODE64 */
	.quad	0x00cf93000000ffff /* SEL_DATA */
	.quad	0x00cff3000000ffff /* SEL_USER_DATA */
	.quad	0x00affb000000ffff /* SEL_USER_CODE */
	.fill	2 * MAX_CPUS, 8, 0 /* SEL_TSS, filled by each CPU */
gdt_pointer:
	.word	GDT_BYTES - 1
	.long	gdt

	.globl	start_info, cpus_started
start_info:
	.long	0
cpus_started:
	.long	0

/*
 * The low 4 GiB one to one in 2 MiB pages, all of it open to CPL3, the device quarter uncached.
 * Static, because to fill it in by emulated code takes longer than the rest of the boot.
 */
	.balign	8192
pml4:
	.quad	pdpt + 0x27
	.fill	511, 8, 0
	.quad	pdpt + 0x27
	.fill	511, 8, 0
pdpt:
	.set	gib, 0
	.rept	4
	.quad	page_directories + 0x1000 * gib + 0x27
	.set	gib, gib + 1
	.endr
	.fill	508, 8, 0
page_directories:
	.set	page, 0
	.rept	1536
	.quad	(page << 21) + 0xe7
	.set	page, page + 1
	.endr
	.rept	512
	.quad	(page << 21) + 0xff
	.set	page, page + 1
	.endr

	.bss
	.balign	4096
	.globl	kernel_stacks
kernel_stacks:
	.skip	MAX_CPUS << KERNEL_STACK_SHIFT

	.section .note.GNU-stack, "", @progbits
