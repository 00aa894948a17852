/* SPDX-License-Identifier: MIT */
/*
 * QEMU's own door for device tests (-qtest): ports, memory-mapped registers and guest memory, as a
 * processor of the guest would reach them. With it a test drives a device that the guest leaves
 * alone, in a machine that runs a guest as in one that runs none.
 *
 * A call that QEMU does not answer, because a device brought it down, is no error: the test asks
 * vg_qtest_is_gone() when it has done all it wanted.
 *
 * Thread context: one thread at a time.
 */
#ifndef TESTS_LIB_QTEST_H
#define TESTS_LIB_QTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

struct vg_qtest;

/* Waits until the socket is there. */
VG_MUST_CHECK struct vg_error *vg_qtest_open(const char *path, struct vg_qtest **out);
void vg_qtest_close(struct vg_qtest *qtest); /* NULL is allowed */
/* Whether QEMU has left a call without an answer. */
bool vg_qtest_is_gone(const struct vg_qtest *qtest);

void vg_qtest_out(struct vg_qtest *qtest, uint16_t port, unsigned int bytes, uint32_t value);
uint32_t vg_qtest_in(struct vg_qtest *qtest, uint16_t port, unsigned int bytes); /* 0 if gone */
void vg_qtest_writel(struct vg_qtest *qtest, uint64_t address, uint32_t value);
uint32_t vg_qtest_readl(struct vg_qtest *qtest, uint64_t address); /* 0 if gone */
/* At most 4096 bytes of memory; what is not answered reads as 0. */
void vg_qtest_write(struct vg_qtest *qtest, uint64_t address, const void *data, size_t bytes);
void vg_qtest_read(struct vg_qtest *qtest, uint64_t address, void *data, size_t bytes);

/* ---- PCI, bus 0 (PCI Local Bus 2.3, section 3.2.2.3.2) */

/* `function` is device * 8 + function. */
uint32_t vg_qtest_config(struct vg_qtest *qtest, unsigned int function, unsigned int offset);
void vg_qtest_set_config(struct vg_qtest *qtest, unsigned int function, unsigned int offset,
			 uint32_t value);
/* Vendor in the lower 16 bits, device in the upper. False if there is none. */
bool vg_qtest_find(struct vg_qtest *qtest, uint32_t id, unsigned int *function);
/*
 * Where the base address register leads, memory or ports; `where` is taken if the firmware has not
 * set it. Switches ports, memory and bus mastering on.
 */
uint64_t vg_qtest_enable(struct vg_qtest *qtest, unsigned int function, unsigned int bar,
			 uint32_t where);
/* Offset of the capability with this id (section 6.7); 0: none. */
unsigned int vg_qtest_capability(struct vg_qtest *qtest, unsigned int function, uint8_t id);

#endif
