/* SPDX-License-Identifier: MIT */
#include "differ/source_tree.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/source_tree_paths.h"

/* What one diff would do at one strip level: committed to the tree when all of it works out. */
struct attempt {
	const struct vg_source_tree *tree;
	const struct vg_diff *diff;
	unsigned level;
	struct vg_touched *files;
	size_t count;
	size_t existing; /* files that were found, not created */
	size_t moved;	 /* hunks that went in elsewhere than their headers say */
	bool missing;	 /* failed because a name was not found: perhaps the wrong level */
};

static void clear_touched(struct vg_touched *touched)
{
	free(touched->path);
	free(touched->absolute);
	free(touched->from);
	free(touched->bytes);
	vg_text_clear(&touched->text);
}

static void clear_attempt(struct attempt *attempt)
{
	for (size_t i = 0; i < attempt->count; i++)
		clear_touched(&attempt->files[i]);
	free(attempt->files);
	attempt->files = NULL;
	attempt->count = 0;
}

static struct vg_touched *find(struct vg_touched *files, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(files[i].path, path))
			return &files[i];
	return NULL;
}

static struct vg_error *add_touched(struct attempt *attempt, const char *path,
				    struct vg_touched **touched)
{
	struct vg_touched *files = reallocarray(attempt->files, attempt->count + 1, sizeof(*files));

	if (!files)
		return vg_error_no_memory();
	attempt->files = files;
	*touched = &files[attempt->count];
	**touched = (struct vg_touched){
		.path = strdup(path),
		.absolute = vg_path_join(attempt->tree->root, path),
	};
	attempt->count++;
	return (*touched)->path && (*touched)->absolute ? NULL : vg_error_no_memory();
}

/* The file as the diffs before this one left it. The bytes stay with the tree's own record. */
static struct vg_error *copy_touched(struct vg_touched *touched, const struct vg_touched *before)
{
	touched->st = before->st;
	touched->created = before->created;
	touched->deleted = before->deleted;
	touched->binary = before->binary;
	if (before->from && !(touched->from = strdup(before->from)))
		return vg_error_no_memory();
	return vg_text_copy(&before->text, &touched->text);
}

static struct vg_error *load_touched(struct vg_touched *touched)
{
	if (stat(touched->absolute, &touched->st) < 0)
		return vg_error_errno(VG_USAGE, errno, "cannot read %s", touched->absolute);
	VG_TRY(vg_read_file(touched->absolute, VG_USAGE, &touched->bytes, &touched->size));
	return vg_text_split(touched->bytes, touched->size, &touched->text);
}

/* Finds the file's record in this attempt, or makes one. */
static struct vg_error *stage(struct attempt *attempt, const char *path, bool found,
			      struct vg_touched **touched)
{
	const struct vg_touched *before = find(attempt->tree->files, attempt->tree->count, path);

	*touched = find(attempt->files, attempt->count, path);
	if (*touched)
		return NULL;
	VG_TRY(add_touched(attempt, path, touched));
	if (before)
		return copy_touched(*touched, before);
	if (found)
		return load_touched(*touched);
	(*touched)->created = true;
	(*touched)->deleted = true; /* until its content stands */
	return vg_text_split("", 0, &(*touched)->text);
}

/* Looks a name up in the tree as the diffs so far, this one included, leave it. */
static struct vg_error *look_up(struct attempt *attempt, const char *name, bool *found, char **path)
{
	const struct vg_source_tree *tree = attempt->tree;

	*found = false;
	if (!name)
		return NULL;
	VG_TRY(vg_source_path(tree->root, name, found, path));

	const struct vg_touched *touched = find(attempt->files, attempt->count, *path);

	if (!touched)
		touched = find(tree->files, tree->count, *path);
	if (touched)
		*found = !touched->deleted;
	return NULL;
}

static struct vg_error *not_found(struct attempt *attempt, const struct vg_diff_file *file)
{
	attempt->missing = true;
	return vg_error_new(VG_REFUSED,
			    "%s:%u: the diff names %s, which is not in the source tree %s at any "
			    "strip level",
			    attempt->diff->path, file->at,
			    file->old_name ? file->old_name : file->new_name, attempt->tree->root);
}

/*
 * git says at which level its names are meant: a/ and b/ (or i/, w/, c/, o/) in front, or nothing
 * with --no-prefix. diff -u says nothing.
 */
static bool is_git_level(const struct vg_diff_file *file, unsigned level)
{
	const char *name = file->new_name ?: file->old_name;

	return file->git && level == (name[0] && name[1] == '/' ? 1u : 0u);
}

/* A file that the diff creates: diff -u without /dev/null shows it by an empty old side. */
static bool is_creation(const struct vg_diff_file *file)
{
	return file->created || !file->old_name ||
	       (file->hunk_count && !file->hunks[0].old_count && !file->hunks[0].old_start);
}

static struct vg_error *create(struct attempt *attempt, const struct vg_diff_file *file)
{
	const char *name =
		file->new_name ? vg_diff_name_strip(file->new_name, attempt->level) : NULL;
	_cleanup_free_ char *path = NULL;
	struct vg_touched *touched;
	bool found;

	/* git's own prefix is certain; elsewhere an existing directory has to speak for the level
	 */
	if (!name || (!is_git_level(file, attempt->level) &&
		      !vg_source_has_parent(attempt->tree->root, name)))
		return not_found(attempt, file);
	VG_TRY(look_up(attempt, name, &found, &path));
	if (found)
		return vg_error_new(VG_REFUSED,
				    "%s:%u: the diff creates %s, which is there already; is the "
				    "diff applied?",
				    attempt->diff->path, file->at, path);
	VG_TRY(stage(attempt, path, false, &touched));
	touched->deleted = false;
	touched->binary = file->binary;
	return vg_text_apply(&touched->text, attempt->diff, file, path, &attempt->moved);
}

/* Gives the new name the content of the old one. */
static struct vg_error *copy_content(struct attempt *attempt, const struct vg_diff_file *file,
				     const char *from, struct vg_touched **touched)
{
	const char *name = vg_diff_name_strip(file->new_name, attempt->level);
	_cleanup_free_ char *path = NULL;
	size_t source = find(attempt->files, attempt->count, from) - attempt->files;
	bool found;

	if (!name)
		return not_found(attempt, file);
	VG_TRY(look_up(attempt, name, &found, &path));
	if (found)
		return vg_error_new(VG_REFUSED,
				    "%s:%u: the diff makes %s from %s, but it is "
				    "there already; is the diff applied?",
				    attempt->diff->path, file->at, path, from);
	VG_TRY(stage(attempt, path, false, touched));
	vg_text_clear(&(*touched)->text);
	VG_TRY(vg_text_copy(&attempt->files[source].text, &(*touched)->text));
	(*touched)->deleted = false;
	free((*touched)->from);
	(*touched)->from = strdup(from);
	attempt->files[source].deleted |= file->renamed;
	return (*touched)->from ? NULL : vg_error_no_memory();
}

static struct vg_error *remove_file(struct attempt *attempt, const struct vg_diff_file *file,
				    struct vg_touched *touched)
{
	if (touched->text.count && file->hunk_count)
		return vg_error_new(VG_REFUSED,
				    "%s:%u: the diff deletes %s, but that has lines which the "
				    "diff does not know",
				    attempt->diff->path, file->at, touched->path);
	touched->deleted = true;
	return NULL;
}

/* The name that is there: diff -u foo.c.orig foo.c has it on either side. */
static struct vg_error *find_existing(struct attempt *attempt, const struct vg_diff_file *file,
				      char **path)
{
	const char *names[] = {file->old_name, file->new_name};
	bool moves = file->renamed || file->copied;

	for (size_t i = 0; i < (moves ? 1 : 2); i++) {
		bool found = false;

		free(vg_take(*path));
		if (names[i])
			VG_TRY(look_up(attempt, vg_diff_name_strip(names[i], attempt->level),
				       &found, path));
		if (found)
			return NULL;
	}
	return not_found(attempt, file);
}

static struct vg_error *change(struct attempt *attempt, const struct vg_diff_file *file)
{
	_cleanup_free_ char *path = NULL;
	struct vg_touched *touched;

	VG_TRY(find_existing(attempt, file, &path));
	VG_TRY(stage(attempt, path, true, &touched));
	attempt->existing++;
	if (file->renamed || file->copied)
		VG_TRY(copy_content(attempt, file, path, &touched));
	touched->binary |= file->binary;
	VG_TRY(vg_text_apply(&touched->text, attempt->diff, file, touched->path, &attempt->moved));
	if (file->deleted || !file->new_name)
		return remove_file(attempt, file, touched);
	return NULL;
}

static struct vg_error *apply_file(struct attempt *attempt, const struct vg_diff_file *file)
{
	if (file->special)
		return vg_error_new(VG_REFUSED,
				    "%s:%u: the diff changes %s, a symbolic link or submodule; "
				    "only regular files can be patched",
				    attempt->diff->path, file->at,
				    file->new_name ? file->new_name : file->old_name);
	return is_creation(file) ? create(attempt, file) : change(attempt, file);
}

static struct vg_error *try_level(struct attempt *attempt)
{
	for (size_t i = 0; i < attempt->diff->file_count; i++)
		VG_TRY(apply_file(attempt, &attempt->diff->files[i]));
	return NULL;
}

/* A record of an earlier diff keeps the file's bytes, which the new lines point into. */
static void replace_touched(struct vg_touched *old, struct vg_touched *fresh)
{
	fresh->bytes = vg_take(old->bytes);
	fresh->size = old->size;
	clear_touched(old);
	*old = *fresh;
}

static struct vg_error *commit(struct vg_source_tree *tree, struct attempt *attempt)
{
	struct vg_touched *files =
		reallocarray(tree->files, tree->count + attempt->count, sizeof(*files));

	if (!files)
		return vg_error_no_memory();
	tree->files = files;
	for (size_t i = 0; i < attempt->count; i++) {
		struct vg_touched *old = find(files, tree->count, attempt->files[i].path);

		if (old)
			replace_touched(old, &attempt->files[i]);
		else
			files[tree->count++] = attempt->files[i];
	}
	attempt->count = 0;
	if (attempt->moved)
		vg_words_format(&tree->notes,
				"%s: %zu hunks applied at other lines than the diff "
				"says",
				attempt->diff->path, attempt->moved);
	return vg_words_check(&tree->notes);
}

static unsigned deepest(const struct vg_diff *diff)
{
	unsigned depth = 0;

	for (size_t i = 0; i < diff->file_count; i++) {
		const char *names[] = {diff->files[i].old_name, diff->files[i].new_name};

		for (size_t j = 0; j < 2; j++)
			if (names[j] && vg_diff_name_depth(names[j]) > depth)
				depth = vg_diff_name_depth(names[j]);
	}
	return depth;
}

static struct vg_error *check_names(const struct vg_diff *diff)
{
	for (size_t i = 0; i < diff->file_count; i++) {
		const struct vg_diff_file *file = &diff->files[i];

		if (file->old_name)
			VG_TRY(vg_diff_name_check(file->old_name, diff->path, file->at));
		if (file->new_name)
			VG_TRY(vg_diff_name_check(file->new_name, diff->path, file->at));
	}
	return NULL;
}

/* git's own level goes first; else from 0 up. */
static unsigned nth_level(const struct vg_diff *diff, unsigned n)
{
	return is_git_level(&diff->files[0], 1) && n < 2 ? 1 - n : n;
}

/* Of the errors of several levels, one that got past the names tells more. */
static void keep_better(struct vg_error **kept, bool *kept_missing, struct vg_error *error,
			bool missing)
{
	if (*kept && (!*kept_missing || missing)) {
		vg_error_free(error);
		return;
	}
	vg_error_free(*kept);
	*kept = error;
	*kept_missing = missing;
}

static bool is_certain(const struct attempt *attempt)
{
	return !attempt->existing || is_git_level(&attempt->diff->files[0], attempt->level);
}

static struct vg_error *ambiguous(struct attempt *first, struct attempt *second)
{
	struct vg_error *error = vg_error_new(
		VG_REFUSED,
		"%s: the diff applies with %u and with %u leading folders taken off its names (%s "
		"and %s); make it with git diff",
		first->diff->path, first->level, second->level, first->files[0].path,
		second->files[0].path);

	clear_attempt(first);
	clear_attempt(second);
	return error;
}

/* diff -u old/src new puts one folder more in front of one of the names: both lead to one file. */
static bool is_same_attempt(const struct attempt *a, const struct attempt *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->files[i].path, b->files[i].path))
			return false;
	return true;
}

static struct vg_error *find_level(struct vg_source_tree *tree, const struct vg_diff *diff,
				   struct attempt *chosen)
{
	_cleanup_(vg_error_cleanup) struct vg_error *kept = NULL;
	bool kept_missing = true, found = false;
	unsigned levels = deepest(diff) + 1;

	/* git's level 1 must be tried even when no name has a folder: nothing else may be certain
	 */
	for (unsigned n = 0; n < levels || n < 2; n++) {
		struct attempt attempt = {.tree = tree, .diff = diff, .level = nth_level(diff, n)};
		struct vg_error *error = try_level(&attempt);

		if (error) {
			clear_attempt(&attempt);
			keep_better(&kept, &kept_missing, error, attempt.missing);
			if (!attempt.missing && is_git_level(&diff->files[0], attempt.level))
				break;
			continue;
		}
		if (found && is_same_attempt(chosen, &attempt)) {
			clear_attempt(&attempt);
			continue;
		}
		if (found)
			return ambiguous(chosen, &attempt);
		*chosen = attempt;
		found = true;
		if (is_certain(&attempt))
			break;
	}
	return found ? NULL : vg_take(kept);
}

struct vg_error *vg_source_tree_apply(struct vg_source_tree *tree, const char *diff_path)
{
	_cleanup_(vg_diff_cleanup) struct vg_diff *diff = NULL;
	struct attempt attempt;

	VG_TRY(vg_diff_open(diff_path, &diff));
	VG_TRY(check_names(diff));
	diff->exact = tree->exact;

	struct vg_diff **diffs = reallocarray(tree->diffs, tree->diff_count + 1, sizeof(*diffs));

	if (!diffs)
		return vg_error_no_memory();
	tree->diffs = diffs;
	VG_TRY(find_level(tree, diff, &attempt));
	diffs[tree->diff_count++] = vg_take(diff);

	struct vg_error *error = commit(tree, &attempt);

	clear_attempt(&attempt);
	return error;
}

struct vg_error *vg_source_tree_open(const char *root, struct vg_source_tree *tree)
{
	char real[PATH_MAX];
	struct stat st;

	*tree = (struct vg_source_tree){0};
	if (!realpath(root, real) || stat(real, &st) < 0)
		return vg_error_errno(VG_USAGE, errno, "cannot open the source tree %s", root);
	if (!S_ISDIR(st.st_mode))
		return vg_error_new(VG_USAGE, "the source tree %s is not a directory", root);
	tree->root = strdup(real);
	return tree->root ? NULL : vg_error_no_memory();
}

void vg_source_tree_clear(struct vg_source_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		clear_touched(&tree->files[i]);
	for (size_t i = 0; i < tree->diff_count; i++)
		vg_diff_free(tree->diffs[i]);
	free(tree->files);
	free(tree->diffs);
	free(tree->root);
	vg_words_clear(&tree->notes);
	*tree = (struct vg_source_tree){0};
}

struct vg_touched *vg_source_tree_find(const struct vg_source_tree *tree, const struct stat *st)
{
	for (size_t i = 0; i < tree->count; i++) {
		struct vg_touched *touched = &tree->files[i];

		if (!touched->created && touched->st.st_ino == st->st_ino &&
		    touched->st.st_dev == st->st_dev)
			return touched;
	}
	return NULL;
}

struct vg_touched *vg_source_tree_by_path(const struct vg_source_tree *tree, const char *path)
{
	return find(tree->files, tree->count, path);
}
