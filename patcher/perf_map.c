/* SPDX-License-Identifier: MIT */
#include "patcher/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text_file.h"
#include "patcher/result.h"
#include "patcher/task.h"

#define MARK	  "@vgraft:"
#define MAX_BYTES (64ll << 20) /* of a file that is still searched for our lines */

struct map_file {
	int folder; /* /tmp as the target sees it */
	char name[32];
	int fd; /* -1: there is none */
	char *text;
	size_t bytes;
};

static void map_file_clear(struct map_file *file)
{
	if (file->folder >= 0)
		close(file->folder);
	if (file->fd >= 0)
		close(file->fd);
	free(file->text);
}

static bool is_in_our_mount_namespace(const struct vg_live_target *target)
{
	struct stat ours, theirs;

	return stat("/proc/self/ns/mnt", &ours) == 0 &&
	       fstatat(target->proc, "ns/mnt", &theirs, 0) == 0 && ours.st_dev == theirs.st_dev &&
	       ours.st_ino == theirs.st_ino;
}

/* Where perf looks: by the inner process id in the target's mount namespace if it has its own. */
static struct vg_error *open_folder(const struct vg_live_target *target, pid_t inner_pid,
				    struct map_file *file)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
			       .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS |
					  RESOLVE_NO_MAGICLINKS};
	bool ours = is_in_our_mount_namespace(target);
	_cleanup_close_ int root =
		ours ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
		     : openat(target->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	snprintf(file->name, sizeof(file->name), "perf-%d.map",
		 ours || !inner_pid ? target->pid : inner_pid);
	if (root >= 0)
		file->folder = (int)syscall(SYS_openat2, root, "tmp", &how, sizeof(how));
	if (file->folder >= 0)
		return NULL;
	return vg_error_errno(VG_FAILED, errno, "cannot open /tmp of process %d for perf's map",
			      target->pid);
}

/* Anybody may put anything there under that name. */
static struct vg_error *check_file(const struct map_file *file, const struct vg_task_status *owner)
{
	struct stat status;

	if (fstat(file->fd, &status) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot look at /tmp/%s", file->name);
	if (!S_ISREG(status.st_mode) || status.st_nlink != 1 ||
	    (status.st_uid != owner->fs_uid && status.st_uid != geteuid()))
		return vg_error_new(VG_FAILED,
				    "/tmp/%s is not a file of the target's user; perf will not "
				    "know the patched functions; remove it",
				    file->name);
	if (status.st_size > MAX_BYTES)
		return vg_error_new(VG_FAILED,
				    "/tmp/%s is too large to add the patched functions to",
				    file->name);
	return NULL;
}

static struct vg_error *open_file(struct map_file *file, const struct vg_task_status *owner)
{
	file->fd = openat(file->folder, file->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (file->fd < 0 && errno == ENOENT)
		return NULL;
	if (file->fd < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot open /tmp/%s", file->name);
	VG_TRY(check_file(file, owner));
	return vg_text_file_read_fd(file->fd, file->name, &file->text, &file->bytes);
}

/* All lines that should be there, each with its end. */
static struct vg_error *write_lines(const struct vg_names *names, char **lines)
{
	size_t size;
	FILE *stream = open_memstream(lines, &size);

	for (size_t i = 0; stream && i < names->count; i++) {
		const struct vg_name *name = &names->names[i];

		fprintf(stream, "%" PRIx64 " %" PRIx32 " %s%s" MARK "%s\n", name->address,
			name->bytes, name->symbol, name->kind, name->patch);
	}
	if (stream && fclose(stream) == 0)
		return NULL;
	return vg_error_new(VG_FAILED, "out of memory for the names of patched functions");
}

static bool is_ours(const char *line, size_t length)
{
	return memmem(line, length, MARK, strlen(MARK)) != NULL;
}

/* Finds the line, end included, at the start of a line of `text`; or NULL. */
static char *find_line(char *text, const char *line, size_t length)
{
	for (char *at = text; at && *at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
		if (strncmp(at, line, length) == 0)
			return at;
	return NULL;
}

/* Has anybody else written there? */
static bool has_other_lines(const struct map_file *file)
{
	for (const char *line = file->text; *line;) {
		size_t length = strcspn(line, "\n");

		if (length && !is_ours(line, length))
			return true;
		line += length + (line[length] == '\n');
	}
	return false;
}

static struct vg_error *blank(const struct map_file *file, char *line, size_t length)
{
	memset(line, ' ', length);
	if (pwrite(file->fd, line, length, line - file->text) == (ssize_t)length)
		return NULL;
	return vg_error_errno(VG_FAILED, errno, "cannot write /tmp/%s", file->name);
}

/* Takes out of `wanted` what stands there already, and out of the file what is not wanted. */
static struct vg_error *compare(const struct map_file *file, char *wanted)
{
	for (char *line = file->text; *line;) {
		size_t length = strcspn(line, "\n");
		char *next = line + length + (line[length] == '\n');
		bool ours = is_ours(line, length);
		char *found = ours ? find_line(wanted, line, (size_t)(next - line)) : NULL;

		if (found)
			memset(found, '\n', length);
		else if (ours)
			VG_TRY(blank(file, line, length));
		line = next;
	}
	return NULL;
}

/* `wanted` without the lines that were taken out. */
static char *squeeze(char *wanted)
{
	char *end = wanted;

	for (char *at = wanted; *at; at++)
		if (*at != '\n' || (end > wanted && end[-1] != '\n'))
			*end++ = *at;
	*end = '\0';
	return wanted;
}

/* In one write, behind whatever the target's own JIT compiler appends meanwhile. */
static struct vg_error *append(const struct map_file *file, const char *lines)
{
	_cleanup_free_ char *whole = NULL;
	bool is_open = file->bytes && file->text[file->bytes - 1] != '\n';
	int length = asprintf(&whole, "%s%s", is_open ? "\n" : "", lines);

	if (length < 0) {
		whole = NULL;
		return vg_error_new(VG_FAILED, "out of memory for the lines of /tmp/%s",
				    file->name);
	}
	if (fcntl(file->fd, F_SETFL, O_APPEND) == 0 && write(file->fd, whole, length) == length)
		return NULL;
	return vg_error_errno(VG_FAILED, errno, "cannot write /tmp/%s", file->name);
}

/*
 * The file appears whole, with its owner, or not at all: a tool that is killed leaves no empty one,
 * which nobody could tell from a JIT compiler's.
 */
static struct vg_error *create(struct map_file *file, const struct vg_task_status *owner,
			       const char *lines)
{
	char path[64];

	if (file->fd >= 0)
		close(file->fd);
	file->bytes = 0;
	file->fd = openat(file->folder, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0644);
	if (file->fd < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot create /tmp/%s", file->name);
	if (fchmod(file->fd, 0644) < 0 || fchown(file->fd, owner->fs_uid, owner->fs_gid) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot hand /tmp/%s to the target's user",
				      file->name);
	VG_TRY(append(file, lines));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	if (linkat(AT_FDCWD, path, file->folder, file->name, AT_SYMLINK_FOLLOW) == 0)
		return NULL;
	return vg_error_errno(VG_FAILED, errno, "cannot create /tmp/%s", file->name);
}

/* The file is ours alone: a new one takes its place, so that it does not grow. */
static struct vg_error *replace(struct map_file *file, const struct vg_task_status *owner,
				const char *wanted)
{
	if (file->text && strcmp(file->text, wanted) == 0)
		return NULL;
	if (file->bytes && unlinkat(file->folder, file->name, 0) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot remove /tmp/%s", file->name);
	return *wanted ? create(file, owner, wanted) : NULL;
}

struct vg_error *vg_perf_map_write(const struct vg_live_target *target,
				   const struct vg_names *names)
{
	_cleanup_(map_file_clear) struct map_file file = {.folder = -1, .fd = -1};
	_cleanup_free_ char *wanted = NULL;
	struct vg_task_status owner;

	if (!vg_task_read_status(target->proc, 0, &owner))
		return vg_error_new(VG_FAILED, "process %d ended meanwhile", target->pid);
	VG_TRY(open_folder(target, owner.inner_tgid, &file));
	VG_TRY(open_file(&file, &owner));
	VG_TRY(write_lines(names, &wanted));
	if (file.fd < 0 || (file.bytes && !has_other_lines(&file)))
		return replace(&file, &owner, wanted);
	VG_TRY(compare(&file, wanted));
	return *squeeze(wanted) ? append(&file, wanted) : NULL;
}

static struct vg_error *refresh(const struct vg_live_target *target)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};
	_cleanup_(vg_areas_clear) struct vg_areas areas = {0};
	_cleanup_(vg_names_clear) struct vg_names names = {0};

	VG_TRY(vg_maps_read(target->pid, &maps));
	VG_TRY(vg_areas_read(&target->memory, &maps, &areas));
	VG_TRY(vg_names_list(&areas, &names));
	return vg_perf_map_write(target, &names);
}

void vg_perf_map_refresh(struct vg_session *session)
{
	_cleanup_(vg_error_cleanup) struct vg_error *error = NULL;

	/* Not opened, or another vgraft is at work. */
	if (!session->stacks || !vg_live_target_is_alive(&session->target))
		return;
	error = refresh(&session->target);
	if (error)
		vg_result_note(session->result, "%s", vg_error_text(error));
}
