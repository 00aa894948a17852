/* SPDX-License-Identifier: MIT */
#include "differ/compile_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_words.h"

#define MAX_FILE_BYTES (1u << 30)

static struct vg_error *read_all(int fd, const char *path, enum vg_code code, char *text,
				 size_t *size)
{
	size_t done = 0;

	while (done < *size) {
		ssize_t got = read(fd, text + done, *size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vg_error_errno(code, errno, "cannot read %s", path);
		if (!got)
			break;
		done += got;
	}
	*size = done;
	text[done] = '\0';
	return NULL;
}

struct vg_error *vg_read_file(const char *path, enum vg_code code, char **text, size_t *size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return vg_error_errno(code, errno, "cannot open %s", path);
	if (!S_ISREG(st.st_mode))
		return vg_error_new(code, "cannot read %s: it is not a regular file", path);
	if (st.st_size > MAX_FILE_BYTES)
		return vg_error_new(code, "cannot read %s: it is larger than 1 GiB", path);

	_cleanup_free_ char *buffer = malloc(st.st_size + 1);

	if (!buffer)
		return vg_error_no_memory();
	*size = st.st_size;
	VG_TRY(read_all(fd, path, code, buffer, size));
	*text = vg_take(buffer);
	return NULL;
}

struct vg_error *vg_write_file(const char *path, const char *text, size_t size, mode_t mode)
{
	unlink(path);

	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot create %s", path);
	for (size_t done = 0; done < size;) {
		ssize_t put = write(fd, text + done, size - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return vg_error_errno(VG_FAILED, errno, "cannot write %s", path);
		done += put;
	}
	return NULL;
}

char *vg_path_join(const char *directory, const char *path)
{
	return path[0] == '/' ? strdup(path) : vg_format("%s/%s", directory, path);
}

/* Where the component that ends at `end` of an output path starts; the root stays. */
static size_t parent_end(const char *out, size_t end)
{
	while (end > 0 && out[end - 1] != '/')
		end--;
	return end > 0 ? end - 1 : 0;
}

char *vg_path_normal(const char *path)
{
	char *out = malloc(strlen(path) + 2);
	size_t end = 0;

	if (!out)
		return NULL;
	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && !memcmp(path, "..", 2)) {
			end = parent_end(out, end);
		} else if (length && !(length == 1 && *path == '.')) {
			out[end++] = '/';
			memcpy(out + end, path, length);
			end += length;
		}
		path += length + (path[length] == '/');
	}
	if (!end)
		out[end++] = '/';
	out[end] = '\0';
	return out;
}

bool vg_path_is_under(const char *path, const char *root)
{
	size_t length = strlen(root);

	while (length && root[length - 1] == '/')
		length--;
	return !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

char *vg_path_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, slash - path);
}

static bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static void remove_at(int parent, const char *name)
{
	if (!unlinkat(parent, name, 0) || errno == ENOENT)
		return;

	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(dir));)
		if (!is_dot(entry->d_name))
			remove_at(fd, entry->d_name);
	unlinkat(parent, name, AT_REMOVEDIR);
}

void vg_remove_tree(const char *path)
{
	remove_at(AT_FDCWD, path);
}
