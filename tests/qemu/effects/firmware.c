/* SPDX-License-Identifier: MIT */
/* What a processor does that runs a firmware of tests/qemu/firmware, and nothing else. */
#include <time.h>

#include "common/error.h"
#include "tests/qemu/effects/effects.h"
#include "tests/qemu/firmware/words.h"

#define PIIX4_PM_ID 0x71138086U
#define DEVICE_B    0x58 /* PIIX4, section 7.1.11 and 7.2.1: bit 25 of it, SMI by the APM port */
#define APMC_ENABLE (1U << 25)
#define LOOPING_NS  300000000LL /* of processor time */

struct vg_error *effect_stage_loop(struct effect_stage *stage)
{
	return effect_stage_firmware("loop", NULL, stage);
}

struct vg_error *effect_stage_breakpoint(struct effect_stage *stage)
{
	return effect_stage_firmware("breakpoint", NULL, stage);
}

struct vg_error *effect_stage_sipi(struct effect_stage *stage)
{
	return effect_stage_firmware("sipi", NULL, stage);
}

static bool is_set(const struct effect_stage *stage, uint64_t word)
{
	return vg_qtest_readl(stage->qtest, word) == 1;
}

static bool is_over(void *argument)
{
	return is_set(argument, WORD_FIRED) || is_set(argument, WORD_SURVIVED);
}

/* The firmware does what it is there for, and says how it went. */
static struct vg_error *go(struct effect_stage *stage, bool *fixed)
{
	vg_qtest_writel(stage->qtest, WORD_GO, 1);
	VG_TRY(effect_wait(stage, is_over, stage, "the firmware"));
	*fixed = !is_set(stage, WORD_FIRED);
	return NULL;
}

struct vg_error *effect_sipi_in_smm(struct effect_stage *stage, bool *fixed)
{
	return go(stage, fixed);
}

struct vg_error *effect_smm_debug_registers(struct effect_stage *stage, bool *fixed)
{
	unsigned int function;

	if (!vg_qtest_find(stage->qtest, PIIX4_PM_ID, &function))
		return vg_error_new(VG_FAILED, "there is no power management");
	vg_qtest_set_config(stage->qtest, function, DEVICE_B,
			    vg_qtest_config(stage->qtest, function, DEVICE_B) | APMC_ENABLE);
	return go(stage, fixed);
}

/* ---- a loop whose code is changed */

static long long time_of(const struct effect_stage *stage)
{
	struct timespec time = {0};
	clockid_t clock;

	if (clock_getcpuclockid(vg_qemu_pid(stage->qemu), &clock) == 0)
		clock_gettime(clock, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

struct looping {
	struct effect_stage *stage;
	long long until; /* of QEMU's processor time */
};

static bool is_left_or_long(void *argument)
{
	const struct looping *looping = argument;

	return is_set(looping->stage, WORD_SURVIVED) || time_of(looping->stage) > looping->until;
}

static bool is_ready(void *argument)
{
	return is_set(argument, WORD_READY);
}

/* Left, or so much time has been spent in it that it is never left. */
static struct vg_error *loop_on(struct effect_stage *stage)
{
	struct looping looping = {stage, time_of(stage) + LOOPING_NS};

	return effect_wait(stage, is_left_or_long, &looping, "the processor to loop");
}

struct vg_error *effect_tb_self_link(struct effect_stage *stage, bool *fixed)
{
	const uint16_t leave = LOOP_LEAVE;

	vg_qtest_writel(stage->qtest, WORD_GO, 1);
	VG_TRY(effect_wait(stage, is_ready, stage, "the loop"));
	VG_TRY(loop_on(stage)); /* the block is translated, and linked to itself */
	if (is_set(stage, WORD_SURVIVED))
		return vg_error_new(VG_FAILED, "the loop is left before its code was changed");
	vg_qtest_write(stage->qtest, LOOP_CODE, &leave, sizeof(leave));
	VG_TRY(loop_on(stage));
	*fixed = is_set(stage, WORD_SURVIVED);
	return NULL;
}
