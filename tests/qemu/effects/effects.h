/* SPDX-License-Identifier: MIT */
/*
 * How each fix of patches/qemu shows from outside: by what a device, the monitor or a client of
 * QEMU's does with and without it.
 */
#ifndef TESTS_QEMU_EFFECTS_EFFECTS_H
#define TESTS_QEMU_EFFECTS_EFFECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/qemu_guest.h"
#include "tests/lib/qtest.h"

/* Guest memory that the kernel leaves alone (see the command line), for devices to work on. */
#define EFFECTS_MEMORY 0x4000000U
#define EFFECTS_APPEND "memmap=1M$64M"

struct effect_stage {
	struct vg_qemu *qemu;
	struct vg_qtest *qtest;
	bool has_guest;
};

/* The guest of the QEMU tests, beside the devices that the fixes are about. */
struct vg_error *effect_stage_boot(struct effect_stage *stage) VG_MUST_CHECK;
/* The same devices in a machine whose processor stands still: there in a moment. */
struct vg_error *effect_stage_without_guest(struct effect_stage *stage) VG_MUST_CHECK;
void effect_stage_close(struct effect_stage *stage);

#define _cleanup_stage_ __attribute__((cleanup(effect_stage_close)))

/* *fixed is whether the fix shows. Where the flaw brings QEMU down, that is no error. */
typedef struct vg_error *effect_function(struct effect_stage *stage, bool *fixed);

effect_function effect_uhci_exploit, effect_ohci_exploit, effect_usb_net_address;
effect_function effect_e1000e_delayed_causes, effect_e1000e_receive, effect_loopback_padding;
effect_function effect_x509_key_usage, effect_drive_context;
effect_function effect_canonical_fault;

/* These only have the new code run; *fixed is not set. */
effect_function effect_run_rewrite, effect_run_restart, effect_run_smi;

/* Until `done`, or until QEMU has ended. */
struct vg_error *effect_wait(struct effect_stage *stage, bool (*done)(void *), void *argument,
			     const char *what) VG_MUST_CHECK;

#endif
