/* SPDX-License-Identifier: MIT */
/*
 * An interrupt line from a device into the in-kernel 8259 and I/O APIC (KVM API: KVM_IRQ_LINE).
 * The line has a level: a device holds it high as long as it has a reason to, which is right for
 * edge- and level-triggered inputs alike.
 *
 * Thread context: the device's lock is held.
 */
#ifndef VMM_IRQ_LINE_H
#define VMM_IRQ_LINE_H

#include <stdbool.h>
#include <stdint.h>

struct irq_line {
	int vm_fd; /* -1: not connected (unit tests) */
	uint32_t irq;
	bool level;
};

void irq_line_set(struct irq_line *line, bool level);

#endif
