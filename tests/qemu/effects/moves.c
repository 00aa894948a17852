/* SPDX-License-Identifier: MIT */
/* What QEMU does to its memory when a machine comes to it. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text_file.h"
#include "tests/lib/qemu_migrate.h"
#include "tests/qemu/effects/effects.h"

static const char *const memory[] = {
	"-object",  "memory-backend-memfd,id=ram,size=128M,share=on",
	"-machine", "memory-backend=ram",
	NULL,
};

struct vg_error *effect_stage_incoming(struct effect_stage *stage)
{
	struct effect_stage source = {0};
	struct vg_error *error = effect_stage_halted(memory, &source);

	vg_qtest_close(source.qtest);
	stage->source = source.qemu;
	return error ? error : effect_stage_halted(memory, stage);
}

/* What strace(1) has seen when this returns goes to the file `log`. */
static struct vg_error *watch(const struct effect_stage *stage, const char *log,
			      struct vg_process **strace)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)vg_qemu_pid(stage->qemu));
	VG_TRY(vg_process_start((const char *const[]){"strace", "-f", "-e", "trace=msync", "-o",
						      log, "-p", pid, NULL},
				strace));
	return vg_process_wait_text(*strace, &(*strace)->messages, 0, "attached", NULL);
}

/* No msync(2) while a machine comes whose memory needs none. */
struct vg_error *effect_ram_writeback(struct effect_stage *stage, bool *fixed)
{
	_cleanup_process_ struct vg_process *strace = NULL;
	_cleanup_free_ char *seen = NULL;
	char log[PATH_MAX];

	snprintf(log, sizeof(log), "%s/strace", vg_qemu_folder(stage->qemu));
	VG_TRY(watch(stage, log, &strace));
	VG_TRY(vg_qemu_migrate(stage->source, stage->qemu));
	kill(strace->pid, SIGTERM);
	VG_TRY(vg_process_wait_end(strace));
	VG_TRY(vg_text_file_read(log, &seen, NULL));
	*fixed = strstr(seen, "msync(") == NULL;
	return NULL;
}
