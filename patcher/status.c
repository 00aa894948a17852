/* SPDX-License-Identifier: MIT */
/* What is applied where: reads only, stops nobody. */
#include <vgraft/patcher.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/patch_object.h"
#include "patcher/area.h"
#include "patcher/chain.h"
#include "patcher/clock.h"
#include "patcher/memory.h"
#include "patcher/symbol_file.h"
#include "patcher/target.h"

#define TRIES 5

static char *read_exe(const struct vg_live_target *target)
{
	char path[4096];
	ssize_t n = readlinkat(target->proc, "exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';
	return strdup(path);
}

/* Applied is what runs: not if a module of it was unloaded. */
static bool is_applied(const struct vg_live_target *target, const struct vg_areas *areas,
		       const struct vg_installed *installed)
{
	return installed->state == VGA_APPLIED &&
	       vg_chain_is_whole(&target->memory, areas, installed);
}

static struct vg_error *describe(const struct vg_live_target *target, const struct vg_areas *areas,
				 struct vg_installed *installed, struct vg_applied *applied)
{
	char build_id[2 * VGP_MAX_BUILD_ID + 1] = "";

	if (installed->object)
		vg_build_id_text(installed->object->modules[0].build_id,
				 installed->object->modules[0].build_id_bytes, build_id);
	*applied = (struct vg_applied){.pid = target->pid,
				       .exe = read_exe(target),
				       .build_id = strdup(build_id),
				       .patch = strdup(vg_installed_name(installed)),
				       .interrupted = !is_applied(target, areas, installed),
				       .object = vg_take(installed->object)};
	if (!applied->exe || !applied->build_id || !applied->patch)
		return vg_error_new(VG_FAILED, "out of memory for the status");
	return NULL;
}

static struct vg_error *read_areas(const struct vg_live_target *target, struct vg_areas *areas)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};

	VG_TRY(vg_maps_read(target->pid, &maps));
	return vg_areas_read(&target->memory, &maps, areas);
}

/* Another vgraft may be at work, and half of what it writes may be read: look again. */
static struct vg_error *read_areas_settled(const struct vg_live_target *target,
					   struct vg_areas *areas)
{
	struct vg_error *error = NULL;

	for (unsigned i = 0; i < TRIES; i++) {
		vg_error_free(error);
		error = read_areas(target, areas);
		if (!error)
			return NULL;
		vg_clock_sleep(10 * VG_MILLISECOND);
	}
	return error;
}

static struct vg_error *fill(const struct vg_live_target *target, struct vg_areas *areas,
			     struct vg_status *status)
{
	status->applied = calloc(areas->count + 1, sizeof(*status->applied));
	if (!status->applied)
		return vg_error_new(VG_FAILED, "out of memory for the status");
	for (size_t i = 0; i < areas->count; i++)
		if (areas->patches[i].state != VGA_RETIRED)
			VG_TRY(describe(target, areas, &areas->patches[i],
					&status->applied[status->count++]));
	return NULL;
}

struct vg_error *vg_status_read(pid_t pid, struct vg_status *status)
{
	_cleanup_(vg_live_target_close) struct vg_live_target target = VG_LIVE_TARGET_NONE;
	_cleanup_(vg_areas_clear) struct vg_areas areas = {0};

	*status = (struct vg_status){0};
	VG_TRY(vg_live_target_open(pid, &target));
	VG_TRY(read_areas_settled(&target, &areas));

	struct vg_error *error = fill(&target, &areas, status);

	if (error)
		vg_status_clear(status);
	return error;
}

struct vg_error *vg_status_symbols(pid_t pid, uint8_t **bytes, size_t *count)
{
	_cleanup_(vg_live_target_close) struct vg_live_target target = VG_LIVE_TARGET_NONE;
	_cleanup_(vg_areas_clear) struct vg_areas areas = {0};

	*bytes = NULL;
	*count = 0;
	VG_TRY(vg_live_target_open(pid, &target));
	VG_TRY(read_areas_settled(&target, &areas));
	return areas.count ? vg_symbol_file_make(&target.memory, &areas, bytes, count) : NULL;
}

void vg_status_clear(struct vg_status *status)
{
	for (size_t i = 0; i < status->count; i++) {
		struct vg_applied *applied = &status->applied[i];

		free(applied->exe);
		free(applied->build_id);
		free(applied->patch);
		vg_patch_free(applied->object);
	}
	free(status->applied);
	*status = (struct vg_status){0};
}
