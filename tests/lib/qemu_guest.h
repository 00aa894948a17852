/* SPDX-License-Identifier: MIT */
/*
 * Debian's QEMU as a process under test: a Linux guest under TCG with 2 vCPUs, a qcow2 disk on an
 * iothread, a network whose other end is the test, a UHCI controller with a tablet, and QMP.
 * tests/qemu/guest is what runs in it.
 *
 *   struct vg_qemu *qemu;
 *   vg_qemu_start(&(struct vg_qemu_options){0}, &qemu);
 *   vg_qemu_start_streams(qemu);
 *   vg_qemu_wait_verified(qemu, 1000);
 *   vg_qemu_exploit(qemu, &aborted);
 *   vg_qemu_stop(qemu);                  (always)
 *
 * Every wait has a hang limit and fails with what the guest and QEMU said.
 */
#ifndef TESTS_LIB_QEMU_GUEST_H
#define TESTS_LIB_QEMU_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/echo_peer.h"
#include "tests/lib/process.h"
#include "tests/lib/qmp.h"

struct vg_qemu;

struct vg_qemu_options {
	const char *program;	  /* NULL: the one of the unpacked package */
	bool sandbox;		  /* -sandbox on, with every deny option */
	bool kvm;		  /* under KVM, with one vCPU */
	const char *append;	  /* more for the kernel's command line; NULL: nothing */
	const char *const *extra; /* more words for QEMU, ending in NULL; NULL: none */
	/* Runs this instead of a kernel: there is no guest to talk to, nor a thread that asks. */
	const char *firmware;
	bool qtest;  /* with a socket qtest.sock in the folder */
	bool leaves; /* The guest will be migrated away: no thread asks whether it runs. */
	/* Waits for the guest of that QEMU, which must live longer (tests/lib/qemu_migrate.h). */
	const struct vg_qemu *incoming;
};

/* What the guest has counted; disk and network together but for `disk` and `net`. */
struct vg_qemu_counts {
	uint64_t disk, net; /* requests verified */
	uint64_t flushes, lost, corrupt;
};

/* The package's tree, and the program in it (absolute). */
const char *vg_qemu_tree(void);
const char *vg_qemu_program(void);
/* NULL where a guest can run; else the sentence that says what is missing. */
const char *vg_qemu_why_not(void);
/* Skips the running test there. */
void vg_qemu_need(const char *test);

/* The same under KVM. On a host without VT-x and AMD-V, the kernel is VGRAFT_TEST_KERNEL's. */
const char *vg_qemu_kvm_why_not(void);

/* Boots the guest, connects QMP and keeps asking there. Free with vg_qemu_stop(). */
struct vg_error *vg_qemu_start(const struct vg_qemu_options *options,
			       struct vg_qemu **out) VG_MUST_CHECK;
void vg_qemu_stop(struct vg_qemu *qemu); /* kills what still runs; NULL is allowed */

pid_t vg_qemu_pid(const struct vg_qemu *qemu);
struct vg_qmp *vg_qemu_qmp(const struct vg_qemu *qemu);
struct vg_process *vg_qemu_process(const struct vg_qemu *qemu);
/* The other end of its network. */
struct vg_echo_peer *vg_qemu_peer(const struct vg_qemu *qemu);
const char *vg_qemu_folder(const struct vg_qemu *qemu); /* its own, removed with it */

/*
 * Sends a command to the guest (tests/qemu/guest/main.c) and waits for a line that begins with
 * `answer`; *line, if wanted, is the line, to be freed.
 */
struct vg_error *vg_qemu_command(struct vg_qemu *qemu, const char *command, const char *answer,
				 char **line) VG_MUST_CHECK;
/* Sends a command and does not wait; vg_qemu_await() does, from where the command was sent. */
struct vg_error *vg_qemu_send(struct vg_qemu *qemu, const char *command) VG_MUST_CHECK;
struct vg_error *vg_qemu_await(struct vg_qemu *qemu, const char *answer, char **line) VG_MUST_CHECK;

struct vg_error *vg_qemu_start_streams(struct vg_qemu *qemu) VG_MUST_CHECK;
struct vg_error *vg_qemu_report(struct vg_qemu *qemu, struct vg_qemu_counts *counts) VG_MUST_CHECK;
/* Until `more` requests on the disk and `more` on the network are verified beyond those by now. */
struct vg_error *vg_qemu_wait_verified(struct vg_qemu *qemu, uint64_t more) VG_MUST_CHECK;
/*
 * The streams come to their end and all is flushed. An error if a request was lost or corrupt, on
 * the guest's side or at the other end of its network.
 */
struct vg_error *vg_qemu_end_streams(struct vg_qemu *qemu,
				     struct vg_qemu_counts *counts) VG_MUST_CHECK;

/*
 * CVE-2024-8354 from inside the guest. *aborted: QEMU died by its own assertion; otherwise its
 * controller refused the descriptor. Anything else is an error.
 */
struct vg_error *vg_qemu_exploit(struct vg_qemu *qemu, bool *aborted) VG_MUST_CHECK;

/* Powers the guest off; an error unless QEMU exits with 0. */
struct vg_error *vg_qemu_power_off(struct vg_qemu *qemu) VG_MUST_CHECK;

/*
 * After the process' end: `qemu-img check` finds nothing at all to say, and the image holds what
 * the guest wrote last before vg_qemu_end_streams().
 */
struct vg_error *vg_qemu_check_disk(struct vg_qemu *qemu) VG_MUST_CHECK;

static inline void vg_qemu_cleanup(struct vg_qemu **qemu)
{
	vg_qemu_stop(*qemu);
}

#define _cleanup_qemu_ __attribute__((cleanup(vg_qemu_cleanup)))

#endif
