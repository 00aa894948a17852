/* SPDX-License-Identifier: MIT */
/*
 * How each fix of patches/qemu shows from outside: by what a device, the monitor or a client of
 * QEMU's does with and without it.
 */
#ifndef TESTS_QEMU_EFFECTS_EFFECTS_H
#define TESTS_QEMU_EFFECTS_EFFECTS_H

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

#include "tests/lib/qemu_guest.h"
#include "tests/lib/qtest.h"

/* Guest memory that the kernel leaves alone (see the command line), for devices to work on. */
#define EFFECTS_MEMORY 0x4000000U
#define EFFECTS_APPEND "memmap=1M$64M"

struct effect_stage {
	struct vg_qemu *qemu;
	struct vg_qtest *qtest;
	struct vg_qemu *source;	   /* whose machine comes here; NULL for most */
	struct vhost_user *device; /* that this process serves; NULL for most */
	bool has_guest;
};

/* All but the first have a machine whose processor stands still: there in a moment. */
typedef struct vg_error *effect_stage_function(struct effect_stage *stage);

/* The guest of the QEMU tests, beside the devices that the fixes are about. */
effect_stage_function effect_stage_boot;
/* The same devices. */
effect_stage_function effect_stage_without_guest;
/* A screen, shown by VNC, with websockets; one client at a time may be in its handshake. */
effect_stage_function effect_stage_vnc;
/* Memory with a file behind it, and another QEMU that the machine comes from. */
effect_stage_function effect_stage_incoming;
/* A sound card is on the command line; the machine waits to be made (x-exit-preconfig). */
effect_stage_function effect_stage_preconfig;
/* A virtio device whose queue is served by this process. */
effect_stage_function effect_stage_vhost_user;

/* A qxl card, and a screen that could show its cursor. */
effect_stage_function effect_stage_qxl;
/* A cryptographic device; a disk of an AHCI controller. */
effect_stage_function effect_stage_crypto, effect_stage_ahci;
/* A processor that runs the firmware of that name (tests/qemu/firmware). */
effect_stage_function effect_stage_loop, effect_stage_breakpoint, effect_stage_sipi;

/* A machine with a firmware of tests/qemu/firmware and these words on the command line. */
struct vg_error *effect_stage_firmware(const char *name, const char *const *extra,
				       struct effect_stage *stage) VG_MUST_CHECK;
/* The one that halts; for the functions above. */
struct vg_error *effect_stage_halted(const char *const *extra,
				     struct effect_stage *stage) VG_MUST_CHECK;
void effect_stage_close(struct effect_stage *stage);

#define _cleanup_stage_ __attribute__((cleanup(effect_stage_close)))

/* *fixed is whether the fix shows. Where the flaw brings QEMU down, that is no error. */
typedef struct vg_error *effect_function(struct effect_stage *stage, bool *fixed);

effect_function effect_uhci_exploit, effect_ohci_exploit, effect_usb_net_address;
effect_function effect_e1000e_delayed_causes, effect_e1000e_receive, effect_loopback_padding;
effect_function effect_x509_key_usage, effect_drive_context;
effect_function effect_canonical_fault, effect_websocket, effect_vnc_zlib, effect_ram_writeback;
effect_function effect_intx_irqfd, effect_tb_self_link, effect_sipi_in_smm;
effect_function effect_smm_debug_registers, effect_qxl_chunk_size;
effect_function effect_crypto_lengths, effect_ahci_restart;

/* These only have the new code run; *fixed is not set. */
effect_function effect_run_rewrite, effect_run_listener, effect_run_tls, effect_run_sound_card;

/* A client of the VNC server's that asks for zlib encoding; its decompressor is one for all
 * updates. */
struct effect_viewer {
	int client;
	uint16_t size[2]; /* in the protocol's byte order */
	z_stream decompressor;
};
struct vg_error *effect_viewer_open(struct effect_stage *stage,
				    struct effect_viewer *viewer) VG_MUST_CHECK;
/* The whole screen, which must come out of the decompressor. */
struct vg_error *effect_viewer_update(struct effect_viewer *viewer) VG_MUST_CHECK;
void effect_viewer_close(struct effect_viewer *viewer);

#define _cleanup_viewer_ __attribute__((cleanup(effect_viewer_close)))

/* The listening socket of an NBD server; a client that comes and goes. */
effect_stage_function effect_listener_open, effect_listener_call, effect_listener_close;

/* Until `done`, or until QEMU has ended. */
struct vg_error *effect_wait(struct effect_stage *stage, bool (*done)(void *), void *argument,
			     const char *what) VG_MUST_CHECK;

#endif
