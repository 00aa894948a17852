/* SPDX-License-Identifier: MIT */
/* Processes that a verb with --all works on. Processes that may not be looked at are left out. */
#include <vgraft/patcher.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/patch_object.h"
#include "common/process_maps.h"
#include "patcher/area.h"
#include "patcher/mapping.h"
#include "patcher/memory.h"
#include "patcher/module.h"

typedef bool wanted(const struct vg_memory *memory, const struct vg_maps *maps,
		    const void *context);

static bool maps_module(const struct vg_memory *memory, const struct vg_maps *maps,
			const void *context)
{
	const struct vg_patch *patch = context;
	const struct vgp_module *module = &patch->modules[0];
	struct vg_modules modules;
	struct vg_error *error = vg_modules_read(memory, maps, &modules);
	bool found =
		!error && vg_modules_find(&modules, module->build_id, module->build_id_bytes, NULL);

	if (!error)
		vg_modules_clear(&modules);
	vg_error_free(error);
	return found;
}

/* Only headers are looked at: a damaged area is found too, and complained about by its verb. */
static bool has_area(const struct vg_memory *memory, const struct vg_maps *maps,
		     const void *context)
{
	const char *name = context;

	for (size_t i = 0; i < maps->count; i++) {
		const struct vg_map *map = &maps->maps[i];
		struct vga_header header;

		if (!vg_mapping_may_be_area(map) ||
		    !vg_mapping_is_page_present(memory->pid, map->start) ||
		    vg_memory_read_some(memory, map->start, &header, sizeof(header)) !=
			    sizeof(header))
			continue;
		if (memcmp(header.magic, VGA_MAGIC, sizeof(header.magic)) == 0 &&
		    header.area_address == map->start && header.state != VGA_RETIRED &&
		    (!name || strncmp(header.name, name, sizeof(header.name)) == 0))
			return true;
	}
	return false;
}

static bool is_wanted(pid_t pid, wanted *test, const void *context)
{
	struct vg_memory memory = {.fd = -1};
	struct vg_maps maps = {0};
	struct vg_error *error = vg_memory_open(pid, &memory);
	bool found = false;

	if (!error)
		error = vg_maps_read(pid, &maps);
	if (!error)
		found = test(&memory, &maps, context);
	vg_maps_clear(&maps);
	vg_memory_close(&memory);
	vg_error_free(error);
	return found;
}

static int compare_pids(const void *a, const void *b)
{
	return *(const pid_t *)a - *(const pid_t *)b;
}

static struct vg_error *collect(DIR *directory, wanted *test, const void *context, pid_t **pids,
				size_t *count)
{
	for (struct dirent *entry; (entry = readdir(directory));) {
		pid_t pid = atoi(entry->d_name);
		pid_t *grown;

		if (pid <= 0 || pid == getpid() || !is_wanted(pid, test, context))
			continue;
		grown = reallocarray(*pids, *count + 1, sizeof(**pids));
		if (!grown)
			return vg_error_new(VG_FAILED, "out of memory for the list of processes");
		*pids = grown;
		grown[(*count)++] = pid;
	}
	return NULL;
}

static struct vg_error *find(wanted *test, const void *context, pid_t **pids, size_t *count)
{
	_cleanup_closedir_ DIR *directory = opendir("/proc");
	struct vg_error *error;

	*pids = NULL;
	*count = 0;
	if (!directory)
		return vg_error_errno(VG_FAILED, errno, "cannot list /proc");
	error = collect(directory, test, context, pids, count);
	if (error) {
		free(*pids);
		*pids = NULL;
		*count = 0;
		return error;
	}
	if (*count)
		qsort(*pids, *count, sizeof(**pids), compare_pids);
	return NULL;
}

struct vg_error *vg_find_targets(const struct vg_patch *patch, pid_t **pids, size_t *count)
{
	return find(maps_module, patch, pids, count);
}

struct vg_error *vg_find_patched(const char *name, pid_t **pids, size_t *count)
{
	return find(has_area, name, pids, count);
}
