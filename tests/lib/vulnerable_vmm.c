/* SPDX-License-Identifier: MIT */
#include "tests/lib/vulnerable_vmm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/guest.h"
#include "tests/lib/process.h"

static struct vg_error *path_set(char path[PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static struct vg_error *path_set(char path[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int length = vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
	return length < PATH_MAX ? NULL
				 : vg_error_new(VG_FAILED, "the path %s... is too long", path);
}

struct vg_error *vg_vulnerable_vmm_build(const char *name, struct vg_vulnerable_vmm *out)
{
	const char *const build[] = {"tests/live/vulnerable", name, out->source, NULL};

	VG_TRY(path_set(out->source, "%s/vulnerable/%s", vg_build_folder(), name));
	VG_TRY(path_set(out->program, "%s/build/vgraft-vmm", out->source));
	VG_TRY(path_set(out->compdb, "%s/build/compile_commands.json", out->source));
	VG_TRY(path_set(out->fix, "%s/fix.diff", out->source));
	VG_TRY(path_set(out->live, "%s/live.diff", out->source));
	VG_TRY(path_set(out->hooks, "%s/hooks.c", out->source));
	VG_TRY(vg_process_must_run(build));
	if (access(out->live, F_OK)) {
		strcpy(out->live, out->fix);
		out->hooks[0] = '\0';
	}
	return NULL;
}
