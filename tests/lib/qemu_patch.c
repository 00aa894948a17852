/* SPDX-License-Identifier: MIT */
#include "tests/lib/qemu_patch.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text_file.h"
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

static struct vg_error *is_for_this_version(const char *folder, bool *is)
{
	_cleanup_free_ char *text = NULL, *path = NULL;

	if (asprintf(&path, "%s/manifest", folder) < 0)
		return vg_error_no_memory();
	*is = false;
	if (access(path, R_OK) != 0)
		return NULL;
	VG_TRY(vg_text_file_read(path, &text, NULL));
	*is = strstr(text, "include: ../debian-12-u15\n") != NULL;
	return NULL;
}

/* Takes the name of a folder, if a patch was built from it. */
static struct vg_error *take_folder(struct vg_qemu_patches *patches, const char *name)
{
	struct vg_qemu_patch *patch = &patches->all[patches->count];
	bool is = false;
	char *folder;

	if (asprintf(&folder, "patches/qemu/%s", name) < 0)
		return vg_error_no_memory();
	name_patch(folder, patch);
	VG_TRY(is_for_this_version(folder, &is));
	if (!is || access(patch->object, R_OK) != 0) {
		free(folder);
		return NULL;
	}
	patches->count++;
	return vg_qemu_patch_build(folder, patch);
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
	return strcmp((*left)->d_name, (*right)->d_name);
}

struct vg_error *vg_qemu_patches_find(struct vg_qemu_patches *patches)
{
	struct dirent **entries;
	struct vg_error *error = NULL;
	int count = scandir("patches/qemu", &entries, NULL, by_name);

	patches->count = 0;
	if (count < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot list patches/qemu");
	for (int i = 0; i < count; i++) {
		if (!error && patches->count < VG_QEMU_PATCHES_MAX)
			error = take_folder(patches, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return error;
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

struct vg_error *vg_qemu_patch_apply_if_loaded(const struct vg_qemu_patch *patch,
					       const struct vg_qemu *qemu, bool *applied,
					       json_t **answer)
{
	_cleanup_answer_ json_t *own = NULL;
	json_t **out = answer ? answer : &own;
	char pid[16];
	int code;

	snprintf(pid, sizeof(pid), "%d", (int)vg_qemu_pid(qemu));
	VG_TRY(vg_command((const char *const[]){"apply", patch->object, "--pid", pid, "--timeout",
						TIMEOUT, NULL},
			  &code, out));
	*applied = !strcmp(vg_answer_text(*out, "result"), "applied");
	if (*applied ||
	    (code == VG_REFUSED && strstr(vg_answer_text(*out, "reason"), "has not loaded")))
		return NULL;
	return vg_error_new(VG_FAILED, "vgraft apply %s answered %s: %s", patch->name,
			    vg_answer_text(*out, "result"), vg_answer_text(*out, "reason"));
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
