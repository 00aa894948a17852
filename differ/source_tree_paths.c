/* SPDX-License-Identifier: MIT */
#include "differ/source_tree_paths.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_words.h"

struct vg_error *vg_diff_name_check(const char *name, const char *diff, unsigned line)
{
	for (const char *at = name; *at;) {
		size_t length = strcspn(at, "/");

		if (length == 2 && !memcmp(at, "..", 2))
			return vg_error_new(VG_REFUSED,
					    "%s:%u: the diff names %s, which leads out of the "
					    "source tree",
					    diff, line, name);
		at += length;
		at += strspn(at, "/");
	}
	return NULL;
}

unsigned vg_diff_name_depth(const char *name)
{
	unsigned depth = 0;

	for (const char *at = name; (at = strchr(at, '/')); depth++)
		at += strspn(at, "/");
	return depth;
}

const char *vg_diff_name_strip(const char *name, unsigned level)
{
	for (; level; level--) {
		name = strchr(name, '/');
		if (!name)
			return NULL;
		name += strspn(name, "/");
	}
	return *name && *name != '/' ? name : NULL;
}

/* A new file's directory may be new as well, so the nearest one that exists must be inside. */
static struct vg_error *check_nearest(const char *root, const char *name)
{
	_cleanup_free_ char *full = vg_path_join(root, name);
	char real[PATH_MAX];

	while (full && !realpath(full, real)) {
		char *parent = vg_path_parent(full);

		free(full);
		full = parent;
	}
	if (!full)
		return vg_error_no_memory();
	if (!vg_path_is_under(real, root))
		return vg_error_new(VG_REFUSED,
				    "the diff names %s, which a symbolic link leads out of the "
				    "source tree to %s",
				    name, real);
	return NULL;
}

static struct vg_error *not_there(const char *root, const char *full, const char *name, char **path)
{
	_cleanup_free_ char *normal = vg_path_normal(full);

	if (!normal)
		return vg_error_no_memory();
	VG_TRY(check_nearest(root, name));
	*path = strdup(normal + strlen(root) + (root[1] != '\0'));
	return *path ? NULL : vg_error_no_memory();
}

struct vg_error *vg_source_path(const char *root, const char *name, bool *found, char **path)
{
	_cleanup_free_ char *full = vg_path_join(root, name);
	char real[PATH_MAX];
	struct stat st;

	*found = false;
	if (!full)
		return vg_error_no_memory();
	if (lstat(full, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return not_there(root, full, name, path);
	if (!realpath(full, real))
		return vg_error_errno(VG_REFUSED, errno, "cannot find %s in the source tree %s",
				      name, root);
	if (!vg_path_is_under(real, root))
		return vg_error_new(VG_REFUSED,
				    "the diff names %s, which a symbolic link leads out of the "
				    "source tree to %s",
				    name, real);
	if (!S_ISREG(st.st_mode))
		return vg_error_new(VG_REFUSED,
				    "the diff names %s, which is not a regular file in %s", name,
				    root);
	*found = true;
	*path = strdup(real + strlen(root) + (root[1] != '\0'));
	return *path ? NULL : vg_error_no_memory();
}

bool vg_source_has_parent(const char *root, const char *name)
{
	_cleanup_free_ char *full = vg_path_join(root, name);
	_cleanup_free_ char *parent = full ? vg_path_parent(full) : NULL;
	struct stat st;

	return parent && !stat(parent, &st) && S_ISDIR(st.st_mode);
}
