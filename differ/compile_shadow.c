/* SPDX-License-Identifier: MIT */
/*
 * How the shadow is made. It looks like the whole file system, yet costs a few hundred symbolic
 * links, because only the folders that matter are real folders in it:
 *
 *   1. A real folder of the shadow holds, for each entry of the original, a symbolic link to it.
 *   2. A folder is real if it holds a file with content of its own, or a compiler's working
 *      directory, or if a folder below it is real. Everything else is behind a symbolic link.
 *   3. A symbolic link of the original stays one, and leads to the same place of the shadow.
 *
 * "x/../y" is resolved by the kernel through x; if x is behind a symbolic link, y is the
 * original's. So the folders on the way to a file with content of its own have to be made real as
 * they are spelled, which is known from the dependency information, and is checked afterwards
 * against what the compiler says it has read (units_check.c). vg_shadow_mirror() is for the rest.
 *
 * Precompiled headers are left out of real folders: they may hold what the diff changes, and the
 * compiler takes the header itself where there is none. So are objects, which no compiler reads,
 * and the sources of other units, which are seldom included: folders with a thousand of them are
 * common. A compilation that misses a file is run again in a complete shadow (units_run.c).
 */
#include "differ/compile_shadow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_flags.h"

#define MAX_LINKS 40 /* as the kernel: path_resolution(7) */

struct vg_error *vg_shadow_open(const char *root, struct vg_shadow *shadow)
{
	*shadow = (struct vg_shadow){.root = strdup(root)};
	if (!shadow->root)
		return vg_error_no_memory();
	if (mkdir(root, 0700) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot create %s", root);
	return NULL;
}

void vg_shadow_clear(struct vg_shadow *shadow)
{
	free(shadow->root);
	vg_words_clear(&shadow->real);
	vg_words_clear(&shadow->mirrors);
	*shadow = (struct vg_shadow){0};
}

static bool is_object(const char *name)
{
	static const char *const ends[] = {".o",    ".lo",   ".a",  ".la",  ".so",
					   ".gcno", ".gcda", ".su", ".dwo", NULL};

	for (size_t i = 0; ends[i]; i++)
		if (vg_ends_with(name, ends[i]))
			return true;
	return false;
}

/* Not for a compiler: version control, objects, and precompiled headers (see above). */
static bool is_left_out(const char *name)
{
	if (is_object(name))
		return true;
	return !strcmp(name, ".") || !strcmp(name, "..") || !strcmp(name, ".git") ||
	       vg_ends_with(name, ".gch") || vg_ends_with(name, ".pch");
}

static bool is_link(int dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_LNK;
	return !fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode);
}

/* The text of a link of the original, as it has to read in the shadow. */
static char *link_text(const struct vg_shadow *shadow, int dir, const char *name)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(dir, name, text, sizeof(text) - 1);

	if (length < 0)
		return NULL;
	text[length] = '\0';
	return text[0] == '/' ? vg_format("%s%s", shadow->root, text) : strdup(text);
}

static struct vg_error *link_entry(const struct vg_shadow *shadow, const char *folder, int from,
				   int to, const struct dirent *entry)
{
	_cleanup_free_ char *text =
		is_link(from, entry) ? link_text(shadow, from, entry->d_name)
				     : vg_format("%s/%s", folder[1] ? folder : "", entry->d_name);

	if (!text)
		return NULL; /* gone meanwhile */
	if (symlinkat(text, to, entry->d_name) < 0 && errno != EEXIST)
		return vg_error_errno(VG_FAILED, errno, "cannot create a link in %s", shadow->root);
	return NULL;
}

static bool is_for_others(const struct vg_shadow *shadow, const struct dirent *entry)
{
	return !shadow->complete && entry->d_type == DT_REG && vg_is_unit_file(entry->d_name);
}

/* Step 1. A folder that the original lacks is made empty: a build folder that was removed. */
static struct vg_error *fill(const struct vg_shadow *shadow, const char *folder,
			     const char *shadow_folder)
{
	_cleanup_closedir_ DIR *from = opendir(folder);
	_cleanup_close_ int to = open(shadow_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (to < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot open %s", shadow_folder);
	if (!from)
		return NULL;
	for (struct dirent *entry; (entry = readdir(from));)
		if (!is_left_out(entry->d_name) && !is_for_others(shadow, entry))
			VG_TRY(link_entry(shadow, folder, dirfd(from), to, entry));
	return NULL;
}

static struct vg_error *make_real(struct vg_shadow *shadow, const char *folder)
{
	_cleanup_free_ char *path = vg_format("%s%s", shadow->root, folder[1] ? folder : "");

	if (!path)
		return vg_error_no_memory();
	if (vg_words_have(&shadow->real, folder))
		return NULL;
	vg_words_add(&shadow->real, folder);
	if (unlink(path) < 0 && errno != ENOENT && errno != EISDIR)
		return vg_error_errno(VG_FAILED, errno, "cannot replace %s", path);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return vg_error_errno(VG_FAILED, errno, "cannot create %s", path);
	VG_TRY(fill(shadow, folder, path));
	return vg_words_check(&shadow->real);
}

/* A path that is walked component by component, as the kernel does it. */
struct walk {
	char at[PATH_MAX];   /* canonical, where the walk is; "" is the root */
	char rest[PATH_MAX]; /* what is left to walk */
	unsigned links;
};

static struct vg_error *too_long(const char *path)
{
	return vg_error_errno(VG_FAILED, ENAMETOOLONG, "cannot follow %s", path);
}

static struct vg_error *follow(struct walk *walk, const char *link)
{
	char text[PATH_MAX], rest[PATH_MAX];
	ssize_t length = readlink(link, text, sizeof(text) - 1);

	if (length < 0 || ++walk->links > MAX_LINKS)
		return vg_error_errno(VG_FAILED, ELOOP, "cannot follow %s", link);
	text[length] = '\0';
	if (snprintf(rest, sizeof(rest), "%s/%s", text, walk->rest) >= (int)sizeof(rest))
		return too_long(link);
	strcpy(walk->rest, rest);
	if (text[0] == '/')
		walk->at[0] = '\0';
	return NULL;
}

static struct vg_error *enter(struct vg_shadow *shadow, struct walk *walk, const char *name)
{
	char next[PATH_MAX];
	struct stat st;

	if (snprintf(next, sizeof(next), "%s/%s", walk->at, name) >= (int)sizeof(next))
		return too_long(name);
	if (!lstat(next, &st) && S_ISLNK(st.st_mode))
		return follow(walk, next);
	strcpy(walk->at, next);
	return make_real(shadow, next);
}

static void leave(struct walk *walk)
{
	char *slash = strrchr(walk->at, '/');

	if (slash)
		*slash = '\0';
}

static struct vg_error *walk_to(struct vg_shadow *shadow, struct walk *walk)
{
	VG_TRY(make_real(shadow, "/"));
	while (walk->rest[0]) {
		size_t length = strcspn(walk->rest, "/");
		char name[NAME_MAX + 1];

		if (length > NAME_MAX)
			return too_long(walk->rest);
		memcpy(name, walk->rest, length);
		name[length] = '\0';
		memmove(walk->rest, walk->rest + length + (walk->rest[length] == '/'),
			strlen(walk->rest + length) + (walk->rest[length] != '/'));
		if (!strcmp(name, ".."))
			leave(walk);
		else if (name[0] && strcmp(name, "."))
			VG_TRY(enter(shadow, walk, name));
	}
	return NULL;
}

static struct vg_error *walk_from(struct vg_shadow *shadow, const char *path, struct walk *walk)
{
	*walk = (struct walk){0};
	if (strlen(path) >= sizeof(walk->rest))
		return too_long(path);
	strcpy(walk->rest, path);
	return walk_to(shadow, walk);
}

struct vg_error *vg_shadow_folder(struct vg_shadow *shadow, const char *path)
{
	struct walk walk;

	return walk_from(shadow, path, &walk);
}

struct vg_error *vg_shadow_complete(struct vg_shadow *shadow)
{
	shadow->complete = true;
	for (size_t i = 0; i < shadow->real.count; i++) {
		const char *folder = shadow->real.items[i];
		_cleanup_free_ char *path =
			vg_format("%s%s", shadow->root, folder[1] ? folder : "");

		if (!path)
			return vg_error_no_memory();
		VG_TRY(fill(shadow, folder, path));
	}
	return NULL;
}

struct vg_error *vg_shadow_link(struct vg_shadow *shadow, const char *path)
{
	_cleanup_free_ char *parent = vg_path_parent(path);
	char real[PATH_MAX];

	if (!parent)
		return vg_error_no_memory();
	if (!realpath(parent, real) || !vg_words_have(&shadow->real, real))
		return NULL;

	const char *name = basename(path);
	_cleanup_free_ char *place = vg_format("%s%s/%s", shadow->root, real, name);
	_cleanup_free_ char *original = vg_format("%s/%s", real, name);

	if (!place || !original)
		return vg_error_no_memory();
	if (symlink(original, place) < 0 && errno != EEXIST)
		return vg_error_errno(VG_FAILED, errno, "cannot create %s", place);
	return NULL;
}

static struct vg_error *mirror_below(struct vg_shadow *shadow, const char *folder)
{
	_cleanup_closedir_ DIR *dir = opendir(folder);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		struct stat st;

		if (is_left_out(entry->d_name) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISDIR(st.st_mode))
			continue;

		_cleanup_free_ char *path = vg_format("%s/%s", folder, entry->d_name);

		if (!path)
			return vg_error_no_memory();
		if (vg_path_is_under(shadow->root, path))
			continue; /* not the shadow in itself */
		VG_TRY(make_real(shadow, path));
		VG_TRY(mirror_below(shadow, path));
	}
	return NULL;
}

struct vg_error *vg_shadow_mirror(struct vg_shadow *shadow, const char *path)
{
	struct walk walk;

	VG_TRY(walk_from(shadow, path, &walk));
	return mirror_below(shadow, walk.at);
}

/* Where the file lies in the shadow, its folder made real. */
static struct vg_error *place(struct vg_shadow *shadow, const char *path, char **placed)
{
	_cleanup_free_ char *parent = vg_path_parent(path);
	struct walk walk;

	if (!parent)
		return vg_error_no_memory();
	VG_TRY(walk_from(shadow, parent, &walk));
	*placed = vg_format("%s%s/%s", shadow->root, walk.at, basename(path));
	return *placed ? NULL : vg_error_no_memory();
}

struct vg_error *vg_shadow_write(struct vg_shadow *shadow, const char *path, const char *bytes,
				 size_t size, const struct stat *st)
{
	_cleanup_free_ char *placed = NULL;

	VG_TRY(place(shadow, path, &placed));
	VG_TRY(vg_write_file(placed, bytes, size, 0600));
	if (st) {
		/* __TIMESTAMP__ (GNU C) reads the file's time */
		struct timespec times[2] = {st->st_mtim, st->st_mtim};

		utimensat(AT_FDCWD, placed, times, 0);
	}
	return NULL;
}

struct vg_error *vg_shadow_remove(struct vg_shadow *shadow, const char *path)
{
	_cleanup_free_ char *placed = NULL;

	VG_TRY(place(shadow, path, &placed));
	if (unlink(placed) < 0 && errno != ENOENT)
		return vg_error_errno(VG_FAILED, errno, "cannot remove %s", placed);
	return NULL;
}

struct vg_error *vg_shadow_add_mirror(struct vg_shadow *shadow, const char *path)
{
	char real[PATH_MAX];

	if (realpath(path, real) && !vg_words_have(&shadow->mirrors, real))
		vg_words_add(&shadow->mirrors, real);
	return vg_words_check(&shadow->mirrors);
}

bool vg_shadow_maps(const struct vg_shadow *shadow, const char *path)
{
	_cleanup_free_ char *parent = vg_path_parent(path);
	char real[PATH_MAX];

	if (path[0] != '/')
		return false;
	/* what the diff creates, or renames a file to, is in the shadow only: its folder decides */
	if (!realpath(path, real) && (!parent || !realpath(parent, real)))
		return false;
	for (size_t i = 0; i < shadow->mirrors.count; i++)
		if (vg_path_is_under(real, shadow->mirrors.items[i]))
			return true;
	return false;
}
