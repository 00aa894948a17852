/* SPDX-License-Identifier: MIT */
#include "tests/qemu/effects/effects.h"

#include <limits.h>
#include <stdio.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/guest.h"
#include "tests/qemu/effects/vhost_user.h"

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

struct vg_error *effect_stage_firmware(const char *name, const char *const *extra,
				       struct effect_stage *stage)
{
	char firmware[PATH_MAX];

	snprintf(firmware, sizeof(firmware), "%s/qemu/firmware/%s.bin", vg_build_folder(), name);
	return open_stage(&(struct vg_qemu_options){.qtest = true,
						    .extra = extra,
						    .firmware = firmware,
						    .incoming = stage->source},
			  stage);
}

struct vg_error *effect_stage_halted(const char *const *extra, struct effect_stage *stage)
{
	return effect_stage_firmware("halt", extra, stage);
}

struct vg_error *effect_stage_without_guest(struct effect_stage *stage)
{
	return effect_stage_halted(devices, stage);
}

void effect_stage_close(struct effect_stage *stage)
{
	vg_qemu_stop(stage->qemu);
	vg_qemu_stop(stage->source); /* whose files the other used */
	vg_qtest_close(stage->qtest);
	vhost_user_close(stage->device);
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
