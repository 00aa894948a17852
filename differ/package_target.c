/* SPDX-License-Identifier: MIT */
/*
 * The target: the file of the binary package, unpacked; or the file that the user names, if it is
 * the same one. The build-id tells.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vgraft/patch.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/package.h"

/* The first line of a log that holds `behind`, what stands behind it; NULL. */
static const char *line_behind(struct vg_package *package, const char *log, const char *behind)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	struct vg_error *error = vg_read_file(log, VG_FAILED, &text, &size);
	const char *at = text ? strstr(text, behind) : NULL;

	vg_error_free(error);
	if (!at)
		return NULL;
	at += strlen(behind);
	return vg_arena_strndup(package->arena, at, strcspn(at, "\n,"));
}

static const char *ask_dpkg(struct vg_package *package, const char *const words[],
			    const char *behind)
{
	struct vg_words command = {0};
	const char *log = NULL;
	struct vg_error *error;

	for (size_t i = 0; words[i]; i++)
		vg_words_add(&command, words[i]);
	error = vg_package_run(package, package->temp, &command, "ask dpkg about the target", &log);
	if (error) {
		vg_error_free(error);
		return NULL;
	}
	return line_behind(package, log, behind);
}

/* What the machine knows of a file that is not the target: "qemu-system-x86 1:7.2…", if anything.
 */
static const char *installed_version(struct vg_package *package, const char *path)
{
	_cleanup_free_ char *real = realpath(path, NULL);
	const char *owner, *version;

	if (!real)
		return NULL;
	/* dpkg-query -S answers "PACKAGE: PATH"; some packages own their files outside of /usr. */
	owner = ask_dpkg(package, (const char *const[]){"dpkg-query", "-S", real, NULL}, "");
	if (!owner && vg_starts_with(real, "/usr/"))
		owner = ask_dpkg(package, (const char *const[]){"dpkg-query", "-S", real + 4, NULL},
				 "");
	if (!owner || !strchr(owner, ':'))
		return NULL;
	owner = vg_arena_strndup(package->arena, owner, strcspn(owner, ":"));
	if (!owner)
		return NULL;
	version = ask_dpkg(
		package, (const char *const[]){"dpkg-query", "-W", "-f=${Version}\\n", owner, NULL},
		"");
	return version ? vg_arena_printf(package->arena, "%s %s", owner, version) : NULL;
}

static struct vg_error *another_build(struct vg_package *package, const char *path,
				      const char *build_id)
{
	const struct vg_manifest *manifest = package->manifest;
	const struct vg_manifest_binary *binary = vg_manifest_target(manifest);
	const char *version = installed_version(package, path);

	return vg_error_new(
		VG_REFUSED,
		"%s is another build than the manifest is for: it is %s with build-id %s, "
		"the manifest is for %s %s with build-id %s; a fix for that version "
		"needs a manifest of its own",
		path, version ?: "of a package that dpkg does not know", build_id, binary->package,
		manifest->version, binary->build_id);
}

static struct vg_error *check_build_id(struct vg_package *package, const char *path)
{
	const char *wanted = vg_manifest_target(package->manifest)->build_id;
	char build_id[2 * VGP_MAX_BUILD_ID + 1] = "";
	struct vg_elf *elf;

	VG_TRY(vg_elf_open(path, &elf));
	vg_build_id_text(elf->build_id, elf->build_id_bytes, build_id);
	vg_elf_close(elf);
	if (!strcmp(build_id, wanted))
		return NULL;
	return another_build(package, path, *build_id ? build_id : "(none)");
}

static struct vg_error *unpack(struct vg_package *package, const char *name, const char *into)
{
	struct vg_words command = {0};
	const char *deb;

	VG_TRY(vg_package_fetch_binary(package, name, &deb));
	vg_remove_tree(into);
	VG_TRY(vg_package_make_folder(into));
	vg_words_add(&command, "dpkg-deb");
	vg_words_add(&command, "-x");
	vg_words_add(&command, deb);
	vg_words_add(&command, into);
	return vg_package_run(package, package->folder, &command, "unpack the binary package",
			      NULL);
}

static struct vg_error *unpack_once(struct vg_package *package, const char *name)
{
	_cleanup_free_ char *step = vg_format("target-%s", name);
	_cleanup_free_ char *into = vg_format("%s/%s", package->target, name);

	if (!step || !into)
		return vg_error_no_memory();
	if (vg_package_is_done(package, step, package->manifest->version))
		return NULL;
	VG_TRY(unpack(package, name, into));
	return vg_package_set_done(package, step, package->manifest->version);
}

struct vg_error *vg_package_find_target(struct vg_package *package, const char *target)
{
	const struct vg_manifest_binary *binary = vg_manifest_target(package->manifest);

	package->binary = target
				  ?: vg_arena_printf(package->arena, "%s/%s/%s", package->target,
						     binary->package, binary->path);
	if (!package->binary)
		return vg_error_no_memory();
	if (!target)
		VG_TRY(unpack_once(package, binary->package));
	return check_build_id(package, package->binary);
}
