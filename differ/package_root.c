/* SPDX-License-Identifier: MIT */
/*
 * The build dependencies of the source package, with all that they need down to the C library,
 * downloaded by apt and unpacked side by side: no maintainer script runs, nothing is installed.
 * What is made of them is found through --sysroot and pkg-config.
 */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/package.h"

/* A merged /usr, as all of Debian 12 has it; the base system's scripts make these links. */
static struct vg_error *make_skeleton(struct vg_package *package)
{
	static const char *const names[] = {"bin", "sbin", "lib", "lib64"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_free_ char *folder = vg_format("%s/usr/%s", package->root, names[i]);
		_cleanup_free_ char *link = vg_format("%s/%s", package->root, names[i]);
		_cleanup_free_ char *to = vg_format("usr/%s", names[i]);

		if (!folder || !link || !to)
			return vg_error_no_memory();
		VG_TRY(vg_package_make_folder(folder));
		if (symlink(to, link) < 0)
			return vg_error_errno(VG_FAILED, errno, "cannot make the link %s", link);
	}
	return NULL;
}

static struct vg_error *download(struct vg_package *package)
{
	struct vg_words words = {0};
	struct vg_error *error;
	const char *dsc;

	VG_TRY(vg_package_dsc(package, &dsc));
	vg_package_say(
		package,
		"fetching the build dependencies of %s with apt; they are unpacked in %s, not "
		"installed",
		package->manifest->source, package->root);
	vg_words_add(&words, "build-dep");
	vg_words_add(&words, "--yes");
	vg_words_add(&words, "--download-only");
	vg_words_add(&words, "--arch-only");
	vg_words_add(&words, dsc);
	error = vg_package_apt(package, package->apt, &words, "fetch the build dependencies");
	vg_words_clear(&words);
	return error;
}

static struct vg_error *add_job(struct vg_package *package, const char *deb, struct vg_job *job)
{
	static const char script[] =
		"dpkg-deb --fsys-tarfile \"$1\" | tar -x -C \"$2\" --no-same-owner "
		"--keep-directory-symlink --exclude='./usr/share/doc/*' "
		"--exclude='./usr/share/locale/*' --exclude='./usr/share/man/*' "
		"--exclude='./usr/share/icons/*' --exclude='./usr/share/fonts/*' "
		"--exclude='./dev/*'";

	*job = (struct vg_job){.directory = strdup(package->root)};
	job->log = vg_format("%s/unpack-%s.log", package->temp, basename(deb));
	vg_words_add(&job->command, "sh");
	vg_words_add(&job->command, "-c");
	vg_words_add(&job->command, script);
	vg_words_add(&job->command, "sh");
	vg_words_add(&job->command, deb);
	vg_words_add(&job->command, package->root);
	if (!job->directory || !job->log)
		return vg_error_no_memory();
	return vg_words_check(&job->command);
}

static struct vg_error *list_archives(const struct vg_package *package, struct vg_words *debs)
{
	_cleanup_free_ char *path = vg_format("%s/archives", package->apt);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;

	if (!dir)
		return vg_error_errno(VG_FAILED, errno, "cannot read %s/archives", package->apt);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (vg_ends_with(entry->d_name, ".deb"))
			vg_words_format(debs, "%s/%s", path, entry->d_name);
	return vg_words_check(debs);
}

static struct vg_error *run_jobs(struct vg_package *package, struct vg_job *jobs, size_t count)
{
	VG_TRY(vg_jobs_run(jobs, count, package->temp));
	for (size_t i = 0; i < count; i++) {
		if (!vg_job_succeeded(&jobs[i]))
			return vg_error_new(VG_FAILED, "cannot unpack %s; see %s",
					    jobs[i].command.items[4], jobs[i].log);
		unlink(jobs[i].log);
	}
	return NULL;
}

static struct vg_error *unpack(struct vg_package *package, const struct vg_words *debs)
{
	struct vg_job *jobs = calloc(debs->count + 1, sizeof(*jobs));
	struct vg_error *error = jobs ? NULL : vg_error_no_memory();
	size_t count = 0;

	vg_package_say(package, "unpacking %zu packages", debs->count);
	while (!error && count < debs->count) {
		error = add_job(package, debs->items[count], &jobs[count]);
		count++;
	}
	if (!error)
		error = run_jobs(package, jobs, count);
	for (size_t i = 0; i < count; i++)
		vg_job_clear(&jobs[i]);
	free(jobs);
	return error;
}

/* A link to /lib/… means the root's /lib/…: as many steps up as the link lies deep. */
static int make_relative(const char *path, const struct stat *st, int type, struct FTW *where)
{
	char to[PATH_MAX], relative[2 * PATH_MAX] = "";
	ssize_t length = type == FTW_SL ? readlink(path, to, sizeof(to) - 1) : 0;

	(void)st;
	if (length <= 0 || to[0] != '/' || where->level > PATH_MAX / 3)
		return 0;
	to[length] = '\0';
	for (int i = 1; i < where->level; i++)
		strcat(relative, "../");
	strcat(relative, to + 1);
	return unlink(path) < 0 || symlink(relative, path) < 0 ? -1 : 0;
}

static struct vg_error *make(struct vg_package *package, struct vg_words *debs)
{
	VG_TRY(download(package));
	vg_remove_tree(package->root);
	VG_TRY(make_skeleton(package));
	VG_TRY(list_archives(package, debs));
	VG_TRY(unpack(package, debs));
	if (nftw(package->root, make_relative, 64, FTW_PHYS))
		return vg_error_errno(VG_FAILED, errno, "cannot turn the links below %s",
				      package->root);
	for (size_t i = 0; i < debs->count; i++)
		unlink(debs->items[i]);
	return NULL;
}

struct vg_error *vg_package_unpack_root(struct vg_package *package)
{
	const struct vg_manifest *manifest = package->manifest;
	const char *from = vg_arena_printf(package->arena, "%s %s\n", manifest->source,
					   manifest->source_version);
	struct vg_words debs = {0};
	struct vg_error *error;

	if (!from)
		return vg_error_no_memory();
	if (vg_package_is_done(package, "root", from))
		return NULL;
	error = make(package, &debs);
	vg_words_clear(&debs);
	return error ?: vg_package_set_done(package, "root", from);
}
