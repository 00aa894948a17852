/* SPDX-License-Identifier: MIT */
/*
 * Includes by an absolute path lead out of the shadow to the file as it is. CMake writes such files
 * into the build folder: unity_0_c.c includes the sources, cmake_pch.h the headers. Each file of
 * the project that has one gets a copy in the shadow of the patched source that leads into it.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/dependencies.h"
#include "differ/units.h"

static bool is_of_project(const struct vg_unit_plan *plan, const char *path)
{
	if (vg_path_is_under(path, plan->tree.root))
		return true;
	for (size_t i = 0; i < plan->count; i++)
		if (vg_path_is_under(path, plan->units[i].command->directory))
			return true;
	return false;
}

/* Where the absolute path in `line` begins, if that is an include directive; or NULL. */
static const char *absolute_include(const char *line)
{
	line += strspn(line, " \t");
	if (*line++ != '#')
		return NULL;
	line += strspn(line, " \t");
	if (!vg_starts_with(line, "include"))
		return NULL;
	line += strlen("include");
	line += strspn(line, " \t");
	return (*line == '"' || *line == '<') && line[1] == '/' ? line + 1 : NULL;
}

static bool is_into_project(const struct vg_unit_plan *plan, const char *include)
{
	_cleanup_free_ char *path = strndup(include, strcspn(include, "\">\n"));
	char real[PATH_MAX];

	return path && realpath(path, real) && is_of_project(plan, real);
}

/* *changed: is there any such include? */
static void lead_inside(const struct vg_unit_plan *plan, const char *text, FILE *out, bool *changed)
{
	for (const char *line = text, *next; *line; line = next) {
		const char *include = absolute_include(line);
		size_t before = include ? (size_t)(include - line) : 0;

		next = line + strcspn(line, "\n");
		next += *next == '\n';
		fwrite(line, 1, before, out);
		if (include && is_into_project(plan, include)) {
			fputs(plan->post.root, out);
			*changed = true;
		}
		fwrite(line + before, 1, (size_t)(next - line) - before, out);
	}
}

struct vg_error *vg_units_lead_text_inside(const struct vg_unit_plan *plan, char **text,
					   size_t *size, bool *changed)
{
	_cleanup_free_ char *copy = NULL;
	size_t copy_size;
	FILE *out = open_memstream(&copy, &copy_size);

	*changed = false;
	if (!out)
		return vg_error_no_memory();
	/* what a NUL hides is left as it is */
	if (strlen(*text) == *size)
		lead_inside(plan, *text, out, changed);
	if (fclose(out) != 0)
		return vg_error_no_memory();
	if (!*changed)
		return NULL;
	free(*text);
	*text = vg_take(copy);
	*size = copy_size;
	return NULL;
}

static struct vg_error *copy_file(struct vg_unit_plan *plan, const char *path)
{
	_cleanup_free_ char *text = NULL;
	struct stat st;
	bool changed;
	size_t size;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
	    vg_source_tree_find(&plan->tree, &st)) /* its copy was made so already */
		return NULL;
	VG_TRY(vg_read_file(path, VG_FAILED, &text, &size));
	VG_TRY(vg_units_lead_text_inside(plan, &text, &size, &changed));
	return changed ? vg_shadow_write(&plan->post, path, text, size, &st) : NULL;
}

static struct vg_error *copy_files(struct vg_unit_plan *plan, const struct vg_planned_unit *unit,
				   const struct vg_words *read)
{
	for (size_t i = 0; i < read->count; i++) {
		const char *path = read->items[i];
		_cleanup_free_ char *joined = vg_path_join(unit->command->directory, path);

		if (vg_starts_with(path, plan->post.root))
			path += strlen(plan->post.root);
		else
			path = joined;
		if (path && is_of_project(plan, path))
			VG_TRY(copy_file(plan, path));
	}
	return NULL;
}

struct vg_error *vg_units_lead_inside(struct vg_unit_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		_cleanup_free_ char *text = NULL;
		_cleanup_(vg_words_clear) struct vg_words read = {0};
		size_t size;

		if (access(plan->units[i].dependencies, F_OK) != 0)
			continue; /* the compiler missed a file that is in the shadow now */
		VG_TRY(vg_read_file(plan->units[i].dependencies, VG_FAILED, &text, &size));
		vg_make_rule_parse(text, &read);
		VG_TRY(vg_words_check(&read));
		VG_TRY(copy_files(plan, &plan->units[i], &read));
	}
	return NULL;
}
