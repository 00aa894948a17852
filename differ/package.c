/* SPDX-License-Identifier: MIT */
#include "differ/package.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"

/* Build systems put the path into makefiles and shell commands. */
static struct vg_error *check_work(const char *path)
{
	for (const char *at = path; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("/._+~-", *at))
			return vg_error_new(
				VG_USAGE,
				"%s: build systems trip over the '%c' in this path; name "
				"another folder with --work",
				path, *at);
	return NULL;
}

/* An epoch's colon would end a PATH entry; the rest of a version may stand in a path. */
static const char *version_without_epoch(const struct vg_manifest *manifest)
{
	const char *colon = strchr(manifest->version, ':');

	return colon ? colon + 1 : manifest->version;
}

static struct vg_error *name_folders(struct vg_package *package, const char *work)
{
	const struct {
		const char **field, *name;
	} folders[] = {
		{&package->apt, "apt"},	      {&package->files, "files"},
		{&package->root, "root"},     {&package->source, "source"},
		{&package->target, "target"}, {&package->done, "done"},
		{&package->temp, "log"},
	};

	package->folder =
		vg_arena_printf(package->arena, "%s/%s_%s", work, package->manifest->source,
				version_without_epoch(package->manifest));
	for (size_t i = 0; package->folder && i < sizeof(folders) / sizeof(folders[0]); i++) {
		*folders[i].field =
			vg_arena_printf(package->arena, "%s/%s", package->folder, folders[i].name);
		if (!*folders[i].field)
			return vg_error_no_memory();
	}
	package->build = package->folder ? vg_arena_printf(package->arena, "%s/%s", package->source,
							   package->manifest->build)
					 : NULL;
	return package->build ? NULL : vg_error_no_memory();
}

/* One build at a time in a folder. */
static struct vg_error *take_lock(struct vg_package *package)
{
	package->lock = open(package->done, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (package->lock < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot open %s", package->done);
	if (!flock(package->lock, LOCK_EX | LOCK_NB))
		return NULL;
	vg_package_say(package, "waiting for another build in %s", package->folder);
	while (flock(package->lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return vg_error_errno(VG_FAILED, errno, "cannot lock %s", package->done);
	return NULL;
}

static struct vg_error *open_folder(struct vg_package *package, const char *work)
{
	_cleanup_free_ char *here = realpath(".", NULL);
	_cleanup_free_ char *joined = here ? vg_path_join(here, work) : NULL;
	_cleanup_free_ char *absolute = joined ? vg_path_normal(joined) : NULL;

	package->arena = package->manifest->arena;
	package->lock = -1;
	if (!absolute)
		return vg_error_no_memory();
	VG_TRY(check_work(absolute));
	VG_TRY(name_folders(package, absolute));
	VG_TRY(vg_package_make_folder(package->done));
	VG_TRY(vg_package_make_folder(package->files));
	VG_TRY(vg_package_make_folder(package->temp));
	VG_TRY(take_lock(package));
	return vg_package_apt_open(package);
}

static struct vg_error *write_fix(struct vg_package *package)
{
	_cleanup_free_ char *patches = vg_format("%s/debian/patches", package->source);
	const char *text;
	size_t size;

	if (!patches)
		return vg_error_no_memory();
	package->diff = vg_arena_printf(package->arena, "%s/%s.diff", package->folder,
					package->manifest->name);
	if (!package->diff)
		return vg_error_no_memory();
	VG_TRY(vg_manifest_diff(package->manifest, patches, &text, &size));
	return vg_write_file(package->diff, text, size, 0644);
}

struct vg_error *vg_package_prepare(struct vg_package *package, const char *work,
				    const char *target)
{
	VG_TRY(open_folder(package, work));
	VG_TRY(vg_package_find_target(package, target)); /* a wrong one is known before the work */
	VG_TRY(vg_package_fetch_source(package));
	VG_TRY(vg_package_unpack_root(package));
	VG_TRY(vg_package_unpack_source(package));
	VG_TRY(write_fix(package));
	return vg_package_configure(package);
}

void vg_package_close(struct vg_package *package)
{
	if (package->lock >= 0)
		close(package->lock);
	package->lock = -1;
}
