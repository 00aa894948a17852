/* SPDX-License-Identifier: MIT */
/* What a program in the guest sees, or has run. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/qemu_migrate.h"
#include "tests/qemu/effects/effects.h"

/* CR2 of the processors, as the monitor shows them. */
struct vg_error *effect_canonical_fault(struct effect_stage *stage, bool *fixed)
{
	_cleanup_free_ char *line = NULL, *registers = NULL;
	char shown[32];

	VG_TRY(vg_qemu_command(stage->qemu, "fault", "vg-fault", &line));
	VG_TRY(vg_qemu_human(stage->qemu, "info registers -a", &registers));
	if (!strstr(registers, "CR2="))
		return vg_error_new(VG_FAILED, "the monitor shows no registers: %s", registers);
	snprintf(shown, sizeof(shown), "CR2=%s", strchr(line, '=') + 1);
	*fixed = strstr(registers, shown) == NULL;
	return NULL;
}

/* Code that changes itself is translated again and again. */
struct vg_error *effect_run_rewrite(struct effect_stage *stage, bool *fixed)
{
	(void)fixed;
	return vg_qemu_command(stage->qemu, "rewrite", "vg-rewrite done", NULL);
}
