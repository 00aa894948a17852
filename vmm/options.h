/* SPDX-License-Identifier: MIT */
/* The command line of `vgraft-vmm run`. */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include "vmm/error.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_DISKS_MAX 10  /* one ISA interrupt each */
#define OPTIONS_CPUS_MAX  254 /* 8-bit APIC ids, without the broadcast id */

enum boot_protocol {
	BOOT_AUTO, /* PVH when the kernel has the note, else the Linux 64-bit protocol */
	BOOT_PVH,
	BOOT_LINUX64,
};

struct disk_option {
	char *path; /* owned */
	bool readonly;
};

struct options {
	const char *kernel;
	const char *initrd;	 /* NULL: none */
	const char *append;	 /* NULL: none */
	const char *memory_file; /* NULL: private memory */
	uint64_t memory;	 /* bytes */
	unsigned cpus;
	enum boot_protocol boot;
	bool json;
	bool help;
	unsigned disk_count;
	struct disk_option disks[OPTIONS_DISKS_MAX];
};

/* `argv` are the words after `run`. The strings of `options` but for disks point into it. */
struct vmm_error *options_parse(struct options *options, int argc, char **argv) VMM_MUST_CHECK;
void options_free(struct options *options);

#endif
