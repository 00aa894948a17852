/* SPDX-License-Identifier: MIT */
/*
 * A Linux guest on vgraft-vmm with a shell on its serial line. The kernel is the one that
 * VGRAFT_TEST_KERNEL names, else Debian's on hosts that can run it (tests/guest/linux-kernel);
 * the initial RAM disk is busybox and tests/guest/linux-init. The test must run from the top of the
 * source tree.
 *
 * What the guest is on the host is a struct vg_guest: vg_guest_pid(), vg_guest_disk() and
 * vg_guest_stop() work; it has no shared page.
 */
#ifndef TESTS_LIB_LINUX_GUEST_H
#define TESTS_LIB_LINUX_GUEST_H

#include "tests/lib/guest.h"

/*
 * NULL where a Linux guest can run and has a disk; else the sentence that says why the test is
 * skipped. May download and unpack a kernel the first time.
 */
const char *vg_linux_guest_why_not(void);

/* The same for a test that needs no disk: Debian's kernel may boot without finding one. */
const char *vg_linux_guest_why_not_boot(void);

/*
 * For other VMMs, where vg_linux_guest_why_not_boot() has nothing to say: the kernel, an ELF
 * vmlinux; the command line that it needs on this host; whether its drivers are built in.
 */
const char *vg_linux_guest_kernel(void);
const char *vg_linux_guest_append(void);
bool vg_linux_guest_is_built_in(void);

/* Boots to the shell. `kernel`, `initrd`, and `append` of the options are filled in here. */
struct vg_error *vg_linux_guest_start(const struct vg_guest_options *options,
				      struct vg_guest **out) VG_MUST_CHECK;

/*
 * Runs one line in the guest's shell and waits for its end. *status is the exit status; *output,
 * if wanted, is what it said and must be freed. A command with `&` at its end goes on by itself.
 */
struct vg_error *vg_linux_guest_run(struct vg_guest *guest, const char *line, int *status,
				    char **output) VG_MUST_CHECK;

/* A line that must end with status 0. `output` may be NULL. */
struct vg_error *vg_linux_guest_must_run(struct vg_guest *guest, const char *line,
					 char **output) VG_MUST_CHECK;

/* Reboots the guest, which ends the VMM; an error unless that exits with 0. */
struct vg_error *vg_linux_guest_reboot(struct vg_guest *guest) VG_MUST_CHECK;

#endif
