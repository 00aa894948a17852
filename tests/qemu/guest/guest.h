/* SPDX-License-Identifier: MIT */
/*
 * The program that is the Linux guest of the QEMU tests: /init of its initial RAM disk, and all of
 * its user space. It runs a disk stream and a network stream, each checking every byte, and takes
 * commands on the serial line (main.c).
 */
#ifndef TESTS_QEMU_GUEST_GUEST_H
#define TESTS_QEMU_GUEST_GUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Only grow. Written by the streams' threads, read by the command loop. */
struct counters {
	atomic_ulong
		verified;  /* requests whose bytes were right; writes that were read back right */
	atomic_ulong lost; /* never answered, or answered and not done */
	atomic_ulong corrupt; /* torn, misplaced, or answered with an error */
	atomic_ulong flushes;
};

/* Prints a line on the serial line, whole. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says why the guest cannot go on; the test sees it on the serial line. Does not return. */
void give_up(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* /dev/vda. Threads of its own; they end once `stop` is set, with everything flushed. */
void disk_start(struct counters *counters, const atomic_bool *stop);
void disk_join(void);
/* Over all blocks: what the disk must hold now. After disk_join(). */
uint64_t disk_sum(void);

/* One request on its own, past the streams: reads a block that no stream uses. */
void disk_read_one(void);

/* eth0; the other end sends each frame back (stream.h). */
void net_start(struct counters *counters, const atomic_bool *stop);
void net_join(void);

/*
 * CVE-2024-8354. Programs the UHCI controller to send a SETUP packet to an endpoint other than 0.
 * A vulnerable QEMU aborts in it.
 */
void uhci_exploit(void);
/* A well-formed control transfer over the same controller. */
void uhci_transfer(void);

/* The longest time for which the guest did not run. It is started once, and never ends. */
void meter_start(void);
void meter_read(void);

/* Each tells how it ended (main.c). */
void processor_fault(void);   /* accesses to an address that is not canonical */
void processor_rewrite(void); /* code that changes itself */
void processor_restart(void); /* the second processor off and on */
void processor_smi(void);     /* system management mode */

#endif
