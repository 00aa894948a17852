/* SPDX-License-Identifier: MIT */
/* Sound cards. */
#include "tests/qemu/effects/effects.h"

static const char *const card[] = {
	"--preconfig", "-audiodev", "none,id=silence", "-device", "gus,audiodev=silence", NULL,
};

struct vg_error *effect_stage_preconfig(struct effect_stage *stage)
{
	return effect_stage_halted(card, stage);
}

/*
 * The card asks how large its voice's buffer is. It has a voice: of the sound cards of an x86
 * machine each one looks first, so that none of them can show what the fix is for.
 */
struct vg_error *effect_run_sound_card(struct effect_stage *stage, bool *fixed)
{
	(void)fixed;
	return vg_qmp_ask(vg_qemu_qmp(stage->qemu), "x-exit-preconfig", NULL, NULL);
}
