/* SPDX-License-Identifier: MIT */
#include "tests/qemu/effects/effects.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/guest.h"

/* The devices that the fixes are about; the guest has drivers for none of them. */
static const char *const devices[] = {
	"-device",   "pci-ohci,id=ohci",
	"-device",   "usb-tablet,bus=ohci.0",
	"-netdev",   "hubport,id=idle-e1000e,hubid=1",
	"-device",   "e1000e,netdev=idle-e1000e,romfile=",
	"-netdev",   "hubport,id=idle-rtl8139,hubid=2",
	"-device",   "rtl8139,netdev=idle-rtl8139,romfile=",
	"-netdev",   "hubport,id=idle-usb,hubid=3",
	"-blockdev", "null-co,node-name=own",
	"-blockdev", "null-co,node-name=foreign",
	"-device",   "ide-hd,id=spare,drive=own",
	NULL,
};

/* 64 KiB of HLT, instead of a firmware: the processor stops at its first instruction. */
static struct vg_error *make_halt(char path[PATH_MAX])
{
	unsigned char halt[65536];

	snprintf(path, PATH_MAX, "%s/qemu/halt.bin.%d", vg_build_folder(), (int)getpid());
	memset(halt, 0xf4, sizeof(halt));

	_cleanup_fclose_ FILE *file = fopen(path, "we");

	if (!file || fwrite(halt, sizeof(halt), 1, file) != 1)
		return vg_error_new(VG_FAILED, "cannot write %s", path);
	return NULL;
}

static struct vg_error *open_stage(const struct vg_qemu_options *options,
				   struct effect_stage *stage)
{
	char socket[PATH_MAX];

	VG_TRY(vg_qemu_start(options, &stage->qemu));
	snprintf(socket, sizeof(socket), "%s/qtest.sock", vg_qemu_folder(stage->qemu));
	return vg_qtest_open(socket, &stage->qtest);
}

struct vg_error *effect_stage_boot(struct effect_stage *stage)
{
	stage->has_guest = true;
	return open_stage(&(struct vg_qemu_options){.qtest = true,
						    .extra = devices,
						    .append = EFFECTS_APPEND},
			  stage);
}

struct vg_error *effect_stage_without_guest(struct effect_stage *stage)
{
	char halt[PATH_MAX];

	VG_TRY(make_halt(halt));

	struct vg_error *error = open_stage(
		&(struct vg_qemu_options){.qtest = true, .extra = devices, .firmware = halt},
		stage);

	unlink(halt); /* QEMU has read it */
	return error;
}

void effect_stage_close(struct effect_stage *stage)
{
	vg_qemu_stop(stage->qemu);
	vg_qtest_close(stage->qtest);
}

struct condition {
	struct effect_stage *stage;
	bool (*done)(void *);
	void *argument;
};

static bool is_done_or_gone(void *argument)
{
	const struct condition *condition = argument;

	return condition->done(condition->argument) || vg_qtest_is_gone(condition->stage->qtest);
}

struct vg_error *effect_wait(struct effect_stage *stage, bool (*done)(void *), void *argument,
			     const char *what)
{
	struct condition condition = {stage, done, argument};

	return vg_process_wait(vg_qemu_process(stage->qemu), is_done_or_gone, &condition, what);
}
