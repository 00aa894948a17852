/* SPDX-License-Identifier: MIT */
/*
 * From a request to compiled units:
 *
 *   1. apply the diffs in memory                                        source_tree.c
 *   2. find the compile commands                                        compile_commands.c
 *   3. make a private directory                                         units_directory.c
 *   4. find the units that the diffs reach                              units_reach.c
 *   5. make the shadows of the source: as it is, and patched            units_shadow.c
 *   6. compile each unit in both                                        units_run.c
 *
 * Nothing is ever written outside of the private directory.
 */
#include "differ/units.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"

void vg_units_explain(const struct vg_build_request *request, const char *format, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list args;

	if (!request->explain)
		return;
	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		line = NULL;
	va_end(args);
	if (line)
		request->explain(request->explain_context, line);
}

static void free_plan(struct vg_unit_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct vg_planned_unit *unit = &plan->units[i];

		vg_compile_flags_clear(&unit->flags);
		free(unit->file);
		free(unit->post_input);
		free(unit->pre_object);
		free(unit->post_object);
		free(unit->lined_object);
		free(unit->plain_object);
		free(unit->dependencies);
	}
	free(plan->units);
	vg_source_tree_clear(&plan->tree);
	vg_compile_commands_clear(&plan->commands);
	vg_units_defining_clear(plan);
	vg_words_clear(&plan->spelled);
	vg_words_clear(&plan->notes);
	vg_shadow_clear(&plan->pre);
	vg_shadow_clear(&plan->post);
	free(plan->directory);
	free(plan->links);
	free(plan->temp);
	if (plan->lock >= 0)
		close(plan->lock);
	if (plan->links_lock >= 0)
		close(plan->links_lock);
	free(plan);
}

static struct vg_error *apply_diffs(struct vg_unit_plan *plan)
{
	const struct vg_build_request *request = plan->request;

	VG_TRY(vg_source_tree_open(request->source, &plan->tree));
	plan->tree.exact = request->exact_source;
	for (size_t i = 0; i < request->diff_count; i++)
		VG_TRY(vg_source_tree_apply(&plan->tree, request->diffs[i]));
	for (size_t i = 0; i < plan->tree.count; i++)
		vg_units_explain(request, "touched: %s", plan->tree.files[i].path);
	vg_words_append(&plan->notes, &plan->tree.notes);
	return vg_words_check(&plan->notes);
}

static struct vg_error *find_commands(struct vg_unit_plan *plan)
{
	const struct vg_build_request *request = plan->request;
	_cleanup_free_ char *found = NULL;

	for (size_t i = 0; i < request->compdb_count; i++)
		VG_TRY(vg_compile_commands_add(request->compdbs[i], &plan->commands));
	if (request->compdb_count)
		return NULL;
	VG_TRY(vg_compile_commands_find(request->source, request->target, &found));
	vg_units_explain(request, "compile commands: %s", found);
	return vg_compile_commands_add(found, &plan->commands);
}

static struct vg_error *make_folder(const struct vg_unit_plan *plan, const char *name)
{
	_cleanup_free_ char *path = vg_format("%s/%s", plan->directory, name);

	if (!path)
		return vg_error_no_memory();
	if (mkdir(path, 0700) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot create %s", path);
	return NULL;
}

/* Both shadows have names of the same length: nothing of them may show in an object anyway. */
static struct vg_error *open_shadow(struct vg_unit_plan *plan, const char *name,
				    struct vg_shadow *shadow)
{
	_cleanup_free_ char *root = vg_format("%s/%s", plan->links ?: plan->directory, name);
	_cleanup_free_ char *compdb = vg_path_parent(plan->commands.path);

	if (!root || !compdb)
		return vg_error_no_memory();
	VG_TRY(vg_shadow_open(root, shadow));
	VG_TRY(vg_shadow_add_mirror(shadow, plan->tree.root));
	return vg_shadow_add_mirror(shadow, compdb);
}

static struct vg_error *make_directory(struct vg_unit_plan *plan)
{
	VG_TRY(vg_private_directory(plan->tree.root, &plan->directory, &plan->lock));
	VG_TRY(vg_private_links(&plan->links, &plan->links_lock));
	plan->temp = vg_format("%s/temp", plan->directory);
	if (!plan->temp)
		return vg_error_no_memory();
	VG_TRY(make_folder(plan, "temp"));
	VG_TRY(make_folder(plan, "out"));
	VG_TRY(open_shadow(plan, "a", &plan->pre));
	return open_shadow(plan, "b", &plan->post);
}

static void note_lto(struct vg_unit_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->units[i].flags.lto)
			vg_words_format(&plan->notes,
					"-flto dropped for %s: its old code has to "
					"match the target without it",
					plan->units[i].file);
}

/* The first string of .comment. */
static char *comment_of(Elf *elf)
{
	size_t names;

	if (elf_getshdrstrndx(elf, &names) < 0)
		return NULL;
	for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
		GElf_Shdr header;
		Elf_Data *data;
		const char *name = gelf_getshdr(section, &header)
					   ? elf_strptr(elf, names, header.sh_name)
					   : NULL;

		if (!name || strcmp(name, ".comment") || !(data = elf_getdata(section, NULL)))
			continue;

		const char *text = data->d_buf, *end = text + data->d_size;

		while (text < end && !*text)
			text++;
		return text < end ? strndup(text, end - text) : NULL;
	}
	return NULL;
}

static char *producer_in(const char *object)
{
	_cleanup_close_ int fd = open(object, O_RDONLY | O_CLOEXEC);

	elf_version(EV_CURRENT);

	Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	char *producer = elf ? comment_of(elf) : NULL;

	elf_end(elf);
	return producer;
}

/* -fno-ident leaves no .comment: the compiler is asked itself. */
static struct vg_error *ask_compiler(const struct vg_unit_plan *plan, const char *compiler,
				     char **producer)
{
	struct vg_job job = {0};
	_cleanup_free_ char *text = NULL;
	size_t size;

	job.directory = strdup("/");
	job.log = vg_format("%s/out/version.log", plan->directory);
	vg_words_add(&job.command, compiler);
	vg_words_add(&job.command, "--version");

	struct vg_error *error =
		job.directory && job.log ? vg_words_check(&job.command) : vg_error_no_memory();

	if (!error)
		error = vg_jobs_run(&job, 1, plan->temp);
	if (!error)
		error = vg_read_file(job.log, VG_FAILED, &text, &size);
	if (!error && !(*producer = strndup(text, strcspn(text, "\n"))))
		error = vg_error_no_memory();
	vg_job_clear(&job);
	return error;
}

static struct vg_error *fill_unit(const struct vg_unit_plan *plan,
				  const struct vg_planned_unit *planned, struct vg_unit *unit)
{
	unit->file = strdup(planned->file);
	unit->pre_object = strdup(planned->pre_object);
	unit->post_object = strdup(planned->post_object);
	unit->pre_object_plain = strdup(planned->plain_object);
	unit->lined_object = planned->lined_object ? strdup(planned->lined_object) : NULL;
	unit->lto_dropped = planned->flags.lto;
	unit->output = planned->command->output ? strdup(planned->command->output) : NULL;
	unit->compiler = producer_in(planned->pre_object);
	if (!unit->compiler)
		VG_TRY(ask_compiler(plan, planned->flags.words.items[0], &unit->compiler));
	if (!unit->file || !unit->pre_object || !unit->post_object || !unit->pre_object_plain)
		return vg_error_no_memory();
	return NULL;
}

static char **list_of(struct vg_words *words)
{
	char **items = words->items ?: calloc(1, sizeof(*items));

	*words = (struct vg_words){0};
	return items;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct vg_error *fill(struct vg_unit_plan *plan, struct vg_units *units)
{
	struct vg_words touched = {0};

	note_lto(plan);
	for (size_t i = 0; i < plan->tree.count; i++)
		vg_words_add(&touched, plan->tree.files[i].path);
	if (touched.count)
		qsort(touched.items, touched.count, sizeof(*touched.items), by_name);
	units->touched_count = touched.count;
	units->touched = list_of(&touched);
	units->note_count = plan->notes.count;
	units->notes = list_of(&plan->notes);
	units->root = strdup(plan->tree.root);
	units->directory = strdup(plan->directory);
	units->units = calloc(plan->count + 1, sizeof(*units->units));
	if (touched.failed || !units->touched || !units->notes || !units->root ||
	    !units->directory || !units->units)
		return vg_error_no_memory();
	for (units->count = 0; units->count < plan->count; units->count++)
		VG_TRY(fill_unit(plan, &plan->units[units->count], &units->units[units->count]));
	return NULL;
}

static struct vg_error *compile_plan(struct vg_unit_plan *plan, struct vg_units *units)
{
	VG_TRY(apply_diffs(plan));
	VG_TRY(find_commands(plan));
	VG_TRY(make_directory(plan));
	VG_TRY(vg_units_generate(plan));
	VG_TRY(vg_units_reach(plan));
	VG_TRY(vg_units_shadow(plan));
	VG_TRY(vg_units_narrow(plan));
	if (plan->count)
		VG_TRY(vg_units_run(plan));
	VG_TRY(vg_units_check_reached(plan));
	return fill(plan, units);
}

struct vg_error *vg_units_compile(const struct vg_build_request *request, struct vg_units *units)
{
	struct vg_unit_plan *plan = calloc(1, sizeof(*plan));
	struct vg_error *error;
	sigset_t saved;

	*units = (struct vg_units){0};
	if (!plan)
		return vg_error_no_memory();
	plan->request = request;
	plan->lock = plan->links_lock = -1;
	vg_jobs_block_signals(&saved);
	units->plan = plan;
	error = compile_plan(plan, units);
	if (error) {
		char *kept = request->keep_temp && plan->directory ? strdup(plan->directory) : NULL;

		units->count += units->units != NULL; /* the one that was being filled */
		vg_units_clear(units, request->keep_temp);
		units->directory = kept;
	} else {
		plan->request = NULL;
	}
	vg_jobs_restore_signals(&saved);
	return error;
}

static void clear_unit(struct vg_unit *unit)
{
	free(unit->file);
	free(unit->pre_object);
	free(unit->post_object);
	free(unit->lined_object);
	free(unit->pre_object_plain);
	free(unit->compiler);
	free(unit->output);
}

static void free_list(char **items, size_t count)
{
	for (size_t i = 0; items && i < count; i++)
		free(items[i]);
	free(items);
}

static void leave_directory(const char *directory, bool keep)
{
	if (!directory)
		return;
	if (keep)
		vg_private_directory_keep(directory);
	else
		vg_remove_tree(directory);
}

/* Who looks at the one directory finds the other by this, a help that may be missing. */
static void link_shadows(const struct vg_unit_plan *plan)
{
	_cleanup_free_ char *path = vg_format("%s/shadows", plan->directory);

	if (path)
		(void)!symlink(plan->links, path);
}

void vg_units_clear(struct vg_units *units, bool keep)
{
	for (size_t i = 0; units->units && i < units->count; i++)
		clear_unit(&units->units[i]);
	free(units->units);
	free_list(units->notes, units->note_count);
	free_list(units->touched, units->touched_count);
	free(units->root);
	free(units->directory);
	if (units->plan) {
		if (keep && units->plan->directory && units->plan->links)
			link_shadows(units->plan);
		leave_directory(units->plan->directory, keep);
		leave_directory(units->plan->links, keep);
		free_plan(units->plan);
	}
	*units = (struct vg_units){0};
}
