/* SPDX-License-Identifier: MIT */
/* Instructions that only CPL0 may use, and the clock that they can ask. */
#ifndef TESTS_GUEST_PORTS_H
#define TESTS_GUEST_PORTS_H

#include <stdint.h>

static inline void outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" ::"a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(msr)
		     : "memory");
}

static inline uint64_t read_cr2(void)
{
	uint64_t value;

	asm volatile("movq %%cr2, %0" : "=r"(value));
	return value;
}

static inline void load_task_register(uint16_t selector)
{
	asm volatile("ltr %0" ::"r"(selector));
}

static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* TSC cycles per millisecond: from KVM's clock, else counted against the PIT; 0 without either. */
uint64_t find_tsc_khz(void);

#endif
