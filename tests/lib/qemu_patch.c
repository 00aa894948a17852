/* SPDX-License-Identifier: MIT */
#include "tests/lib/qemu_patch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/guest.h"

#define TIMEOUT "60" /* seconds, for apply and revert */

static void name_patch(const char *folder, struct vg_qemu_patch *patch)
{
	const char *slash = strrchr(folder, '/');

	patch->name = slash ? slash + 1 : folder;
	snprintf(patch->object, sizeof(patch->object), "%s/qemu/%s.vgp", vg_build_folder(),
		 patch->name);
}

struct vg_error *vg_qemu_patch_build_anew(const char *folder, struct vg_qemu_patch *patch,
					  json_t **answer)
{
	_cleanup_free_ char *manifest = NULL, *work = NULL;

	name_patch(folder, patch);
	if (asprintf(&manifest, "%s/manifest", folder) < 0 ||
	    asprintf(&work, "%s/packages", vg_build_folder()) < 0)
		return vg_error_no_memory();
	VG_TRY(vg_command_must((const char *const[]){"build", "--manifest", manifest, "--work",
						     work, "-o", patch->object, NULL},
			       answer));
	if (strcmp(vg_answer_text(*answer, "result"), "built") != 0)
		return vg_error_new(VG_FAILED, "vgraft build answered %s for %s",
				    vg_answer_text(*answer, "result"), manifest);
	return NULL;
}

/* Newer than the tool that makes it. */
static bool is_fresh(const char *object)
{
	struct stat made, tool;
	char vgraft[PATH_MAX + 16];

	snprintf(vgraft, sizeof(vgraft), "%s/vgraft", vg_build_folder());
	return stat(object, &made) == 0 && stat(vgraft, &tool) == 0 &&
	       made.st_mtime > tool.st_mtime;
}

struct vg_error *vg_qemu_patch_build(const char *folder, struct vg_qemu_patch *patch)
{
	_cleanup_answer_ json_t *answer = NULL;

	name_patch(folder, patch);
	return is_fresh(patch->object) ? NULL : vg_qemu_patch_build_anew(folder, patch, &answer);
}

static struct vg_error *run_verb(const char *verb, const char *subject, const char *expected,
				 const struct vg_qemu *qemu, json_t **answer)
{
	_cleanup_answer_ json_t *own = NULL;
	json_t **out = answer ? answer : &own;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)vg_qemu_pid(qemu));
	VG_TRY(vg_command_must(
		(const char *const[]){verb, subject, "--pid", pid, "--timeout", TIMEOUT, NULL},
		out));
	if (strcmp(vg_answer_text(*out, "result"), expected) != 0)
		return vg_error_new(VG_FAILED, "vgraft %s answered %s, not %s", verb,
				    vg_answer_text(*out, "result"), expected);
	return NULL;
}

struct vg_error *vg_qemu_patch_apply(const struct vg_qemu_patch *patch, const struct vg_qemu *qemu,
				     json_t **answer)
{
	return run_verb("apply", patch->object, "applied", qemu, answer);
}

struct vg_error *vg_qemu_patch_revert(const struct vg_qemu_patch *patch, const struct vg_qemu *qemu,
				      json_t **answer)
{
	return run_verb("revert", patch->name, "reverted", qemu, answer);
}

const char *vg_qemu_package_gone(const json_t *answer)
{
	const json_t *reason = json_array_get(json_object_get(answer, "reasons"), 0);
	const char *text = vg_answer_text(reason, "text");

	if (strcmp(vg_answer_text(answer, "result"), "failed") == 0 &&
	    strstr(text, "nor offered by apt"))
		return text;
	return NULL;
}
