/* SPDX-License-Identifier: MIT */
#include "patcher/install.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/hold.h"

/* linux/prctl.h since 5.17 */
#ifndef PR_SET_VMA
#define PR_SET_VMA	     0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define FIND_THREAD (2 * VG_SECOND) /* the least time to find a thread that is fit */

struct mapping {
	struct vg_session *session;
	const struct vg_plan *plan;
	bool taken;
};

static struct vg_call map_area_call(const struct vg_plan_area *area)
{
	return (struct vg_call){SYS_mmap,
				{area->address, area->layout.area_bytes, PROT_READ | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE,
				 (uint64_t)-1, 0}};
}

/* Over the tail of our own area, which is why MAP_FIXED can't hit anybody else. */
static struct vg_call map_data_call(const struct vg_plan_area *area)
{
	return (struct vg_call){SYS_mmap,
				{area->address + area->layout.data_offset,
				 area->layout.area_bytes - area->layout.data_offset,
				 PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				 (uint64_t)-1, 0}};
}

/*
 * The pages with code stay without a name: perf takes symbols from /tmp/perf-PID.map for memory
 * that has none, and looks for a file called "[anon:…]" otherwise.
 */
static struct vg_call name_call(const struct vg_plan_area *area)
{
	return (struct vg_call){SYS_prctl,
				{PR_SET_VMA, PR_SET_VMA_ANON_NAME, area->address,
				 area->layout.stubs_offset,
				 area->address + area->layout.name_offset, 0}};
}

static struct vg_call unmap_call(uint64_t start, uint64_t bytes)
{
	return (struct vg_call){SYS_munmap, {start, bytes, 0, 0, 0, 0}};
}

/* A patch that could not be taken out again is not put in. */
static struct vg_error *check_calls(struct vg_hold *hold, const struct vg_plan_area *area)
{
	struct vg_call map = map_area_call(area);
	struct vg_call data = map_data_call(area);
	struct vg_call unmap = unmap_call(area->address, area->layout.area_bytes);

	VG_TRY(vg_hold_check_call(hold, &map));
	if (area->layout.data_offset)
		VG_TRY(vg_hold_check_call(hold, &data));
	return vg_hold_check_call(hold, &unmap);
}

static struct vg_error *map_failed(const struct vg_session *session, int64_t result)
{
	return vg_error_errno(VG_FAILED, (int)-result,
			      "process %d could not map memory for the patch", session->target.pid);
}

/* Kernels before 4.17 take MAP_FIXED_NOREPLACE for a hint and map elsewhere. */
static struct vg_error *undo_elsewhere(struct vg_hold *hold, uint64_t address, uint64_t bytes)
{
	struct vg_call unmap = unmap_call(address, bytes);
	int64_t result;

	return vg_hold_call(hold, &unmap, &result);
}

/* Header, records and name: enough to know the area by, and to give it its name. */
static struct vg_error *write_head(const struct mapping *mapping, const struct vg_plan_area *area)
{
	return vg_memory_write(&mapping->session->target.memory, area->address, area->image,
			       area->layout.stubs_offset);
}

/* Best effort: the kernel may not know the call, or a filter may deny it. */
static void name_area(struct vg_hold *hold, const struct vg_plan_area *area)
{
	struct vg_call name = name_call(area);
	int64_t result;

	vg_error_free(vg_hold_call(hold, &name, &result));
}

static struct vg_error *map_area(struct vg_hold *hold, struct mapping *mapping,
				 const struct vg_plan_area *area)
{
	struct vg_call map = map_area_call(area);
	struct vg_call data = map_data_call(area);
	int64_t result;

	VG_TRY(vg_hold_call(hold, &map, &result));
	mapping->taken = result == -EEXIST;
	if (mapping->taken)
		return NULL;
	if (result < 0 && result > -4096)
		return map_failed(mapping->session, result);
	if ((uint64_t)result != area->address) {
		mapping->taken = true;
		return undo_elsewhere(hold, (uint64_t)result, area->layout.area_bytes);
	}
	VG_TRY(write_head(mapping, area));
	if (area->layout.data_offset) {
		VG_TRY(vg_hold_call(hold, &data, &result));
		if (result < 0 && result > -4096)
			return map_failed(mapping->session, result);
	}
	name_area(hold, area);
	return NULL;
}

static struct vg_error *map_all(struct vg_hold *hold, void *context)
{
	struct mapping *mapping = context;

	for (size_t i = 0; i < mapping->plan->count; i++)
		VG_TRY(check_calls(hold, &mapping->plan->areas[i]));
	for (size_t i = 0; i < mapping->plan->count && !mapping->taken; i++)
		VG_TRY(map_area(hold, mapping, &mapping->plan->areas[i]));
	return NULL;
}

static struct vg_error *hold(struct vg_session *session,
			     struct vg_error *(*work)(struct vg_hold *hold, void *context),
			     void *context)
{
	uint64_t least = vg_clock_now() + FIND_THREAD;
	struct vg_hold_options options = {.suspend_seccomp = session->options->suspend_seccomp,
					  .deadline = session->deadline > least ? session->deadline
										: least};

	return vg_hold_run(&session->target, &options, work, context, &session->inject);
}

struct vg_error *vg_install_map(struct vg_session *session, const struct vg_plan *plan, bool *taken)
{
	struct mapping mapping = {.session = session, .plan = plan};
	struct vg_error *error = hold(session, map_all, &mapping);

	*taken = mapping.taken;
	return error;
}

/* Writes and reads back; nothing else writes there, so what differs shows a broken write. */
static struct vg_error *write_verified(const struct vg_memory *memory, uint64_t address,
				       const uint8_t *bytes, size_t count)
{
	_cleanup_free_ uint8_t *back = malloc(count + 1);

	if (!back)
		return vg_error_new(VG_FAILED, "out of memory to read the patch area back");
	if (!count)
		return NULL;
	VG_TRY(vg_memory_write(memory, address, bytes, count));
	VG_TRY(vg_memory_read(memory, address, back, count));
	if (memcmp(back, bytes, count) != 0)
		return vg_error_new(VG_FAILED,
				    "the patch area at 0x%" PRIx64
				    " of process %d does not hold what was written to it",
				    address, memory->pid);
	return NULL;
}

static struct vg_error *fill_area(const struct vg_memory *memory, const struct vg_plan_area *area)
{
	const struct vg_layout *layout = &area->layout;
	size_t end = layout->object_offset ? layout->object_offset + layout->object_bytes
					   : layout->text_offset + layout->text_bytes;

	VG_TRY(write_verified(memory, area->address, area->image, end));
	if (!layout->data_offset)
		return NULL;
	return write_verified(memory, area->address + layout->data_offset,
			      area->image + layout->data_offset, layout->data_bytes);
}

/*
 * The first write to a page of a private file mapping copies it. Writing the same bytes now takes
 * that out of the stop. They were compared when the plan was made.
 */
static struct vg_error *make_private(const struct vg_memory *memory,
				     const struct vga_function *record)
{
	uint8_t now[VGP_JUMP_BYTES];

	VG_TRY(vg_memory_read(memory, record->entry, now, sizeof(now)));
	if (memcmp(now, record->saved, sizeof(now)) != 0)
		return vg_error_new(VG_REFUSED,
				    "the code at 0x%" PRIx64
				    " changed while the patch was being prepared",
				    record->entry);
	return vg_memory_write(memory, record->entry, now, sizeof(now));
}

/* A shared mapping of code would change the file, and every other process. */
static struct vg_error *check_private(const struct vg_session *session, uint64_t entry)
{
	const struct vg_map *map = vg_maps_find(&session->maps, entry);

	if (map && map->executable && !map->shared)
		return NULL;
	return vg_error_new(VG_REFUSED,
			    "the code at 0x%" PRIx64
			    " of process %d is not in a private executable mapping",
			    entry, session->target.pid);
}

struct vg_error *vg_install_fill(struct vg_session *session, const struct vg_plan *plan)
{
	const struct vg_memory *memory = &session->target.memory;
	uint64_t ready = VGA_READY;

	for (size_t i = 0; i < plan->count; i++)
		VG_TRY(fill_area(memory, &plan->areas[i]));
	VG_TRY(vg_memory_write(
		memory, plan->areas[VG_PRIMARY_MODULE].address + offsetof(struct vga_header, state),
		&ready, sizeof(ready)));
	for (size_t a = 0; a < plan->count; a++)
		for (size_t i = 0; i < plan->areas[a].layout.function_count; i++) {
			const struct vga_function *record = &vg_plan_functions(&plan->areas[a])[i];

			VG_TRY(check_private(session, record->entry));
			VG_TRY(make_private(memory, record));
		}
	return NULL;
}

struct unmapping {
	struct vg_session *session;
	const struct vg_orphan *areas;
	size_t count;
};

static struct vg_error *unmap_all(struct vg_hold *hold_, void *context)
{
	const struct unmapping *unmapping = context;

	for (size_t i = 0; i < unmapping->count; i++) {
		struct vg_call call =
			unmap_call(unmapping->areas[i].start, unmapping->areas[i].bytes);
		int64_t result;

		VG_TRY(vg_hold_call(hold_, &call, &result));
		if (result < 0)
			return vg_error_errno(VG_FAILED, (int)-result,
					      "process %d could not unmap the patch area at "
					      "0x%" PRIx64,
					      unmapping->session->target.pid,
					      unmapping->areas[i].start);
	}
	return NULL;
}

struct vg_error *vg_install_unmap(struct vg_session *session, const struct vg_orphan *areas,
				  size_t count)
{
	struct unmapping unmapping = {.session = session, .areas = areas, .count = count};

	if (!count)
		return NULL;
	return hold(session, unmap_all, &unmapping);
}

struct vg_error *vg_install_remove(struct vg_session *session, const struct vg_installed *installed)
{
	_cleanup_free_ struct vg_orphan *areas = calloc(installed->area_count, sizeof(*areas));

	if (!areas)
		return vg_error_new(VG_FAILED, "out of memory to unmap a patch");
	for (size_t i = 0; i < installed->area_count; i++) {
		const struct vga_header *header =
			&installed->areas[installed->area_count - 1 - i].header;

		areas[i] = (struct vg_orphan){.start = header->area_address,
					      .bytes = header->area_bytes};
	}
	return vg_install_unmap(session, areas, installed->area_count);
}
