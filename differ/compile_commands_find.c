/* SPDX-License-Identifier: MIT */
/*
 * Where a compdb is looked for when none is named. The one nearest to the target knows best how
 * the target was built:
 *
 *   1. the target's own folder, then each one above it, as long as it lies in the source tree
 *      (a target outside of the tree: its folder and the two above);
 *   2. the root of the source tree;
 *   3. build* in the root of the source tree, if exactly one of them has one.
 */
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_commands.h"
#include "differ/compile_files.h"

#define NAME	      "compile_commands.json"
#define STEPS_OUTSIDE 3

static char *in_folder(const char *folder)
{
	char *path = vg_format("%s/" NAME, folder);

	if (path && !access(path, F_OK))
		return path;
	free(path);
	return NULL;
}

static char *near_target(const char *target, const char *source)
{
	char real[PATH_MAX];
	bool inside;

	if (!target || !realpath(target, real))
		return NULL;
	inside = vg_path_is_under(real, source);
	for (int step = 0; inside || step < STEPS_OUTSIDE; step++) {
		char *slash = strrchr(real, '/');

		if (!slash || slash == real)
			return NULL;
		*slash = '\0';
		if (inside && !vg_path_is_under(real, source))
			return NULL;

		char *path = in_folder(real);

		if (path)
			return path;
	}
	return NULL;
}

static struct vg_error *in_build_folders(const char *source, char **path)
{
	_cleanup_free_ char *pattern = vg_format("%s/build*/" NAME, source);
	struct vg_error *error = NULL;
	glob_t found = {0};

	if (!pattern)
		return vg_error_no_memory();
	if (glob(pattern, 0, NULL, &found))
		return NULL;
	if (found.gl_pathc > 1)
		error = vg_error_new(VG_USAGE,
				     "both %s and %s are there; say with --compdb which of them "
				     "belongs to the target",
				     found.gl_pathv[0], found.gl_pathv[1]);
	else if (found.gl_pathc == 1)
		*path = strdup(found.gl_pathv[0]);
	globfree(&found);
	return error;
}

struct vg_error *vg_compile_commands_find(const char *source, const char *target, char **path)
{
	char real[PATH_MAX];

	if (!realpath(source, real))
		return vg_error_new(VG_USAGE, "cannot open the source tree %s", source);
	*path = near_target(target, real);
	if (!*path)
		*path = in_folder(real);
	if (!*path)
		VG_TRY(in_build_folders(real, path));
	if (*path)
		return NULL;
	return vg_error_new(
		VG_USAGE,
		"no " NAME " beside the target, in %s or in its build folders; name "
		"one with --compdb, or capture one with vgraft build ... -- BUILD COMMAND",
		real);
}
