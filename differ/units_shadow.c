/* SPDX-License-Identifier: MIT */
/* The two shadows of the source: as it is, and patched. See compile_shadow.c. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/units.h"

static struct vg_error *folder_of(struct vg_shadow *shadow, const char *file)
{
	_cleanup_free_ char *parent = vg_path_parent(file);

	return parent ? vg_shadow_folder(shadow, parent) : vg_error_no_memory();
}

/* The working directory must be real: what a compiler writes there stays in the shadow. */
static struct vg_error *command_folder(struct vg_shadow *shadow,
				       const struct vg_compile_command *command)
{
	VG_TRY(vg_shadow_folder(shadow, command->directory));
	VG_TRY(vg_shadow_link(shadow, command->path));
	return vg_shadow_add_mirror(shadow, command->directory);
}

struct vg_error *vg_units_command_folder(struct vg_unit_plan *plan,
					 const struct vg_compile_command *command)
{
	return command_folder(&plan->pre, command);
}

/* The folder of a header named by -include, so that no precompiled one hides it. */
static struct vg_error *forced_folders(struct vg_shadow *shadow, const struct vg_planned_unit *unit)
{
	struct vg_words files = {0};
	struct vg_error *error = vg_compile_flags_forced(&unit->flags, &files);

	for (size_t i = 0; !error && i < files.count; i++) {
		_cleanup_free_ char *path = vg_path_join(unit->command->directory, files.items[i]);

		if (!path)
			error = vg_error_no_memory();
		else if (!access(path, F_OK))
			error = folder_of(shadow, path);
	}
	vg_words_clear(&files);
	return error;
}

static struct vg_error *unit_folders(struct vg_shadow *shadow, const struct vg_unit_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		VG_TRY(command_folder(shadow, plan->units[i].command));
		VG_TRY(forced_folders(shadow, &plan->units[i]));
	}
	return NULL;
}

/* Sources of units lie in folders that have just become real, where those of others are left out.
 */
static struct vg_error *link_sources(struct vg_shadow *shadow, const struct vg_unit_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		VG_TRY(vg_shadow_link(shadow, plan->units[i].command->path));
	return NULL;
}

struct vg_error *vg_units_shadow(struct vg_unit_plan *plan)
{
	VG_TRY(unit_folders(&plan->pre, plan));
	VG_TRY(link_sources(&plan->pre, plan));
	VG_TRY(unit_folders(&plan->post, plan));
	for (size_t i = 0; i < plan->tree.count; i++)
		VG_TRY(folder_of(&plan->post, plan->tree.files[i].absolute));
	for (size_t i = 0; i < plan->spelled.count; i++)
		VG_TRY(folder_of(&plan->post, plan->spelled.items[i]));
	VG_TRY(link_sources(&plan->post, plan));
	return vg_units_write_patched(plan, true);
}

/* Remembers which inode the copy is: the compiler's dependencies show whether it was read. */
static struct vg_error *note_copy(struct vg_unit_plan *plan, struct vg_touched *touched)
{
	_cleanup_free_ char *path = vg_format("%s%s", plan->post.root, touched->absolute);
	struct stat st;

	if (!path)
		return vg_error_no_memory();
	if (stat(path, &st) < 0)
		return vg_error_new(VG_FAILED, "the patched copy of %s is not in %s", touched->path,
				    plan->post.root);
	touched->shadow_inode = st.st_ino;
	touched->shadow_device = st.st_dev;
	return NULL;
}

static struct vg_error *write_patched(struct vg_unit_plan *plan, struct vg_touched *touched,
				      bool resync)
{
	_cleanup_free_ char *bytes = NULL;
	bool leads_inside;
	size_t size;

	if (touched->deleted)
		return vg_shadow_remove(&plan->post, touched->absolute);
	/* the numbers of a new file are its own; those of a renamed one come from its old name */
	if (resync && (!touched->created || touched->from))
		VG_TRY(vg_text_render_resynced(&touched->text, &bytes, &size));
	else
		VG_TRY(vg_text_render(&touched->text, &bytes, &size));
	VG_TRY(vg_units_lead_text_inside(plan, &bytes, &size, &leads_inside));
	VG_TRY(vg_shadow_write(&plan->post, touched->absolute, bytes, size,
			       touched->created ? NULL : &touched->st));
	return note_copy(plan, touched);
}

struct vg_error *vg_units_write_patched(struct vg_unit_plan *plan, bool resync)
{
	for (size_t i = 0; i < plan->tree.count; i++)
		if (!plan->tree.files[i].binary)
			VG_TRY(write_patched(plan, &plan->tree.files[i], resync));
	return NULL;
}

struct vg_error *vg_units_mirror(struct vg_unit_plan *plan)
{
	VG_TRY(vg_shadow_complete(&plan->pre));
	VG_TRY(vg_shadow_complete(&plan->post));
	for (size_t i = 0; i < plan->post.mirrors.count; i++)
		VG_TRY(vg_shadow_mirror(&plan->post, plan->post.mirrors.items[i]));
	return vg_units_write_patched(plan, true);
}
