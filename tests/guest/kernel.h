/* SPDX-License-Identifier: MIT */
/*
 * The CPL0 side of the test guest: constants that the assembler shares, and the system calls that
 * the CPL3 workload may make. CPL0 does only what CPL3 cannot: ports, interrupts, hlt, MSRs.
 */
#ifndef TESTS_GUEST_KERNEL_H
#define TESTS_GUEST_KERNEL_H

#define MAX_CPUS	   4
#define KERNEL_STACK_SHIFT 13

#define SEL_CODE32    0x08
#define SEL_CODE64    0x10
#define SEL_DATA      0x18
#define SEL_USER_DATA 0x23
#define SEL_USER_CODE 0x2b
#define SEL_TSS	      0x30
#define GDT_BYTES     (SEL_TSS + 16 * MAX_CPUS)

#define AP_TRAMPOLINE 0x8000 /* where a SIPI with vector 8 starts a CPU */

#define VECTOR_CALL	6 /* invalid opcode */
#define VECTOR_DISK	0x30
#define VECTOR_TIMER	0x31
#define VECTOR_SPURIOUS 0x3f

#define CALL_MAGIC 0x6c6c6163 /* "call" */

#define COMMAND_LINE_BYTES 2048

#ifndef __ASSEMBLER__

#include <stdint.h>

enum kernel_call {
	CALL_WRITE,    /* (text, length): to the serial line */
	CALL_NOTIFY,   /* (address, value): a 32-bit store to a device register */
	CALL_WAIT,     /* (pointer to used index, seen): hlt unless it is no longer `seen` */
	CALL_OPEN_IRQ, /* (irq, device base): route the line to this CPU and acknowledge it there */
	CALL_START_CPUS, /* INIT and SIPI to all others */
	CALL_PARK,	 /* never run again */
	CALL_PORT_OUT,	 /* (port, value): one byte */
	CALL_RESET,	 /* end the machine through the keyboard controller */
};

static inline uint64_t kernel_call(enum kernel_call number, uint64_t a, uint64_t b)
{
	register uint64_t magic asm("r10") = CALL_MAGIC;
	uint64_t result = number;

	asm volatile("ud2"
		     : "+a"(result), "+D"(a), "+S"(b), "+r"(magic)
		     :
		     : "rcx", "rdx", "r8", "r9", "r11", "memory");
	return result;
}

/* Filled in before CPL3 starts. */
extern char kernel_command_line[COMMAND_LINE_BYTES];
extern uint64_t kernel_tsc_khz;
extern volatile uint64_t kernel_disk_interrupts;
extern uint32_t cpus_started;

/* The CPL3 entry of every CPU. */
void user_start(uint64_t cpu);

#endif
#endif
