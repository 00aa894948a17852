/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/package.h"

void vg_package_say(struct vg_package *package, const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list arguments;

	if (!package->say)
		return;
	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		line = NULL;
	va_end(arguments);
	if (line)
		package->say(package->say_context, line);
}

void vg_package_env(const struct vg_package *package, struct vg_words *command)
{
	const char *root = package->root, *path = getenv("PATH");

	vg_words_add(command, "env");
	vg_words_add(command, "-u");
	vg_words_add(command, "SOURCE_DATE_EPOCH"); /* the package's own rules set it */
	vg_words_format(command, "PATH=%s:%s/usr/bin", path ?: "/usr/bin:/bin", root);
	vg_words_format(command, "PYTHONPATH=%s/usr/lib/python3/dist-packages", root);
	vg_words_format(command, "PERL5LIB=%s/usr/share/perl5", root);
	vg_words_format(command, "PKG_CONFIG_SYSROOT_DIR=%s", root);
	vg_words_format(command,
			"PKG_CONFIG_LIBDIR=%s/usr/lib/x86_64-linux-gnu/pkgconfig:"
			"%s/usr/lib/pkgconfig:%s/usr/share/pkgconfig",
			root, root, root);
	vg_words_format(command, "CC=gcc --sysroot=%s", root);
	vg_words_format(command, "CXX=g++ --sysroot=%s", root);
}

/* The last line that says something. */
static const char *end_of_log(struct vg_package *package, const char *log)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	const char *last = "it said nothing";
	char *rest;

	struct vg_error *error = vg_read_file(log, VG_FAILED, &text, &size);

	if (error) {
		vg_error_free(error);
		return last;
	}
	rest = text;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (line[strspn(line, " \t\r")])
			last = line;
	return vg_arena_printf(package->arena, "%.300s", last);
}

static const char *log_path(struct vg_package *package, const char *what)
{
	char *path = vg_arena_printf(package->arena, "%s/%s.log", package->temp, what);

	for (char *at = path ? path + strlen(package->temp) + 1 : NULL; at && *at; at++)
		if (*at == ' ' || *at == '/')
			*at = '-';
	return path;
}

static struct vg_error *run_job(struct vg_package *package, struct vg_job *job, const char *what)
{
	VG_TRY(vg_words_check(&job->command));
	if (!job->directory || !job->log)
		return vg_error_no_memory();
	VG_TRY(vg_jobs_run(job, 1, package->temp));
	if (vg_job_succeeded(job))
		return NULL;
	return vg_error_new(VG_FAILED, "cannot %s: %s (all of it: %s)", what,
			    end_of_log(package, job->log), job->log);
}

struct vg_error *vg_package_run(struct vg_package *package, const char *directory,
				struct vg_words *command, const char *what, const char **log)
{
	const char *path = log_path(package, what);
	struct vg_job job = {.command = *command};
	struct vg_error *error;

	*command = (struct vg_words){0};
	job.directory = strdup(directory);
	job.log = path ? strdup(path) : NULL;
	error = run_job(package, &job, what);
	vg_job_clear(&job);
	if (log)
		*log = path;
	return error;
}

bool vg_package_is_done(struct vg_package *package, const char *step, const char *from)
{
	_cleanup_free_ char *path = vg_format("%s/%s", package->done, step);
	_cleanup_free_ char *text = NULL;
	size_t size;
	struct vg_error *error = path ? vg_read_file(path, VG_FAILED, &text, &size) : NULL;

	vg_error_free(error);
	return text && !strcmp(text, from);
}

struct vg_error *vg_package_set_done(struct vg_package *package, const char *step, const char *from)
{
	_cleanup_free_ char *path = vg_format("%s/%s", package->done, step);

	if (!path)
		return vg_error_no_memory();
	return vg_write_file(path, from, strlen(from), 0644);
}

struct vg_error *vg_package_make_folder(const char *path)
{
	_cleanup_free_ char *parent = vg_path_parent(path);

	if (!parent)
		return vg_error_no_memory();
	if (!mkdir(path, 0755) || errno == EEXIST)
		return NULL;
	if (errno != ENOENT || !strcmp(parent, path))
		return vg_error_errno(VG_FAILED, errno, "cannot make the folder %s", path);
	VG_TRY(vg_package_make_folder(parent));
	if (!mkdir(path, 0755) || errno == EEXIST)
		return NULL;
	return vg_error_errno(VG_FAILED, errno, "cannot make the folder %s", path);
}
