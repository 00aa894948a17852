/* SPDX-License-Identifier: MIT */
/*
 * The private directory. Its owner holds a lock (flock(2)) on it for as long as it lives. A tool
 * that was killed cannot clean up; so each new one removes the directories of this user whose
 * owner holds no lock any more, unless they were kept on purpose (a file `keep` in them).
 *
 * The shadows are nothing but links and a few small files. Where TMPDIR does not say otherwise they
 * lie in memory (/dev/shm), because some disk file systems take a millisecond for a link.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/units.h"

#define PREFIX "vgraft-build-"
#define KEEP   "keep"
#define MEMORY "/dev/shm"
/* Between mkdtemp() and flock() a directory is young and has no lock. */
#define YOUNG_SECONDS 60

static bool is_left_over(int parent, const char *name, int *fd)
{
	struct stat st;

	*fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *fd >= 0 && !fstat(*fd, &st) && st.st_uid == geteuid() &&
	       time(NULL) - st.st_mtime > YOUNG_SECONDS && faccessat(*fd, KEEP, F_OK, 0) < 0 &&
	       !flock(*fd, LOCK_EX | LOCK_NB);
}

static void sweep(const char *parent)
{
	_cleanup_closedir_ DIR *dir = opendir(parent);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		_cleanup_close_ int fd = -1;

		if (!vg_starts_with(entry->d_name, PREFIX) ||
		    !is_left_over(dirfd(dir), entry->d_name, &fd))
			continue;

		_cleanup_free_ char *path = vg_format("%s/%s", parent, entry->d_name);

		if (path)
			vg_remove_tree(path);
	}
}

static struct vg_error *make_in(const char *parent, char **directory, int *lock)
{
	_cleanup_free_ char *path = vg_format("%s/" PREFIX "XXXXXX", parent);

	if (!path)
		return vg_error_no_memory();
	sweep(parent);
	if (!mkdtemp(path))
		return vg_error_errno(VG_FAILED, errno, "cannot create a directory in %s", parent);
	*directory = vg_take(path);
	*lock = open(*directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot lock %s", *directory);
	return NULL;
}

struct vg_error *vg_private_directory(const char *source, char **directory, int *lock)
{
	const char *parent = getenv("TMPDIR") ?: "/tmp";
	char real[PATH_MAX];

	if (!realpath(parent, real))
		return vg_error_errno(VG_FAILED, errno, "cannot use %s for temporary files",
				      parent);
	if (vg_path_is_under(real, source))
		return vg_error_new(VG_USAGE,
				    "temporary files would lie in the source tree: set TMPDIR to a "
				    "folder outside of %s",
				    source);
	return make_in(real, directory, lock);
}

static bool is_memory(const char *path)
{
	struct statfs fs;
	char real[PATH_MAX];

	return realpath(path, real) && !strcmp(real, path) && !statfs(path, &fs) &&
	       fs.f_type == TMPFS_MAGIC && !access(path, W_OK | X_OK);
}

struct vg_error *vg_private_links(char **directory, int *lock)
{
	*directory = NULL;
	if (getenv("TMPDIR") || !is_memory(MEMORY))
		return NULL;
	return make_in(MEMORY, directory, lock);
}

void vg_private_directory_keep(const char *directory)
{
	_cleanup_free_ char *path = vg_format("%s/" KEEP, directory);
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;

	if (fd >= 0)
		close(fd);
}
