/* SPDX-License-Identifier: MIT */
#include "patcher/retire.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/coroutine.h"
#include "patcher/install.h"
#include "patcher/pointer_search.h"
#include "patcher/quiesce.h"
#include "patcher/ranges.h"
#include "patcher/result.h"
#include "patcher/stop_threads.h"
#include "patcher/switch.h"
#include "patcher/written.h"

#define TRACK_WAIT   (20 * VG_MILLISECOND)
#define XSTATE_BYTES (16u << 10) /* AMX included (Intel SDM vol. 1, 13.5) */

/* One patch that is out. */
struct leftover {
	struct vg_session *session;
	const struct vg_installed *installed;
	struct vg_pointer_range *ranges; /* what a stored pointer can lead to */
	size_t range_count;
	int protector;		      /* of written.h, for this search alone; or -1 */
	uint64_t bytes;		      /* that were searched while the target ran */
	bool is_tracked;	      /* written pages are told apart since look_before_stop() */
	struct vg_stop_hooks threads; /* of the stop */
	char *why;		      /* it has to stay, as the end of a sentence; or NULL */
};

static void clear(struct leftover *leftover)
{
	free(leftover->ranges);
	if (leftover->protector >= 0)
		close(leftover->protector);
	free(leftover->why);
}

static struct vg_error *no_memory(void)
{
	return vg_error_new(VG_FAILED, "out of memory to look for pointers to a patch");
}

static struct vg_error *stays(struct leftover *leftover, char *why)
{
	leftover->why = why;
	return why ? NULL : no_memory();
}

static struct vg_error *add_range(struct leftover *leftover, uint64_t first, uint64_t last)
{
	struct vg_pointer_range *grown =
		reallocarray(leftover->ranges, leftover->range_count + 1, sizeof(*grown));

	if (!grown)
		return no_memory();
	leftover->ranges = grown;
	grown[leftover->range_count++] = (struct vg_pointer_range){first, last};
	return NULL;
}

static uint32_t max(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/*
 * Displaced instructions take as much room as they took at the entry, or more, and then the jump
 * back if there is one: known by its relocation. Too short an answer makes the search find too
 * much; too long a one would hide the constants that follow.
 */
static uint32_t end_of_displaced(const struct vg_patch *patch, uint32_t segment,
				 const struct vgp_function *function)
{
	uint32_t end = function->displaced_offset + function->entry_bytes;

	for (size_t i = 0; i < patch->reloc_count; i++)
		if (patch->relocs[i].segment == segment && patch->relocs[i].offset == end + 1 &&
		    patch->relocs[i].type == VGP_PC32)
			return end + VGP_JUMP_BYTES;
	return end;
}

/*
 * Functions of the module come first in its TEXT. A pointer that is stored leads to where one
 * begins; what leads into the middle of code is a return address, and those the stack check looks
 * at. Dead ones are everywhere: on the stacks that glibc keeps of threads that have ended, in a
 * jmp_buf, in the arcs of a profiler.
 */
static struct vg_error *list_functions(struct leftover *leftover, uint32_t segment, uint64_t text,
				       uint32_t *code)
{
	const struct vg_patch *patch = leftover->installed->object;
	uint32_t module = patch->segments[segment].module;

	*code = 0;
	for (size_t i = 0; i < patch->function_count; i++) {
		const struct vgp_function *function = &patch->functions[i];
		uint64_t start = text + function->new_offset;

		if (function->module != module)
			continue;
		VG_TRY(add_range(leftover, start, start));
		*code = max(*code, function->new_offset + function->new_bytes);
		if (function->kind == VGP_CHANGED)
			*code = max(*code, end_of_displaced(patch, segment, function));
	}
	for (size_t i = 0; i < patch->part_count; i++)
		if (patch->functions[patch->parts[i].function].module == module)
			*code = max(*code, patch->parts[i].new_offset + patch->parts[i].new_bytes);
	return NULL;
}

/* Unwind information is for unwinders alone. */
static uint32_t end_of_constants(const struct vg_patch *patch, uint32_t segment)
{
	for (size_t i = 0; i < patch->unwind_count; i++)
		if (patch->unwinds[i].segment == segment)
			return patch->unwinds[i].offset;
	return patch->segments[segment].memory_bytes;
}

static struct vg_error *list_segment(struct leftover *leftover, uint32_t segment)
{
	const struct vg_patch *patch = leftover->installed->object;
	const struct vgp_segment *record = &patch->segments[segment];
	uint64_t address = vg_installed_segment(leftover->installed, segment);
	uint32_t code, end;

	if (!address)
		return NULL;
	if (record->kind != VGP_TEXT)
		return add_range(leftover, address, address + record->memory_bytes);
	VG_TRY(list_functions(leftover, segment, address, &code));
	end = end_of_constants(patch, segment);
	return code < end ? add_range(leftover, address + code, address + end) : NULL;
}

/* What stored pointers can lead to. Without the object that is anything in the areas. */
static struct vg_error *list_ranges(struct leftover *leftover)
{
	const struct vg_installed *installed = leftover->installed;

	for (size_t i = 0; installed->object && i < installed->object->segment_count; i++)
		VG_TRY(list_segment(leftover, (uint32_t)i));
	for (size_t i = 0; !installed->object && i < installed->area_count; i++) {
		const struct vga_header *header = &installed->areas[i].header;

		VG_TRY(add_range(leftover, header->area_address,
				 header->area_address + header->area_bytes));
	}
	return NULL;
}

static struct vg_pointer_search start_search(const struct leftover *leftover, pid_t tid)
{
	const struct vg_session *session = leftover->session;
	struct vg_pointer_search search = {.memory = &session->target.memory,
					   .maps = &session->maps,
					   .tid = tid,
					   .protector = -1,
					   .ranges = leftover->ranges,
					   .range_count = leftover->range_count};

	search.has_guard = coroutine_guard(session->target.pid, tid, &search.guard);
	return search;
}

/* What a search says; names the mapping that has the word. */
static struct vg_error *conclude(struct leftover *leftover, const struct vg_pointer_search *search)
{
	const struct vg_map *map = vg_maps_find(search->maps, search->found);
	char *why = NULL;
	int length = 0;

	if (search->found)
		length = asprintf(&why, "the word at 0x%" PRIx64 "%s%s still points into it",
				  search->found, map && *map->path ? " in " : "",
				  map ? map->path : "");
	else if (search->unreadable && !search->skip_stacks)
		length = asprintf(
			&why, "the memory at 0x%" PRIx64 " can't be searched for pointers to it",
			search->unreadable);
	else
		return NULL;
	return length < 0 ? no_memory() : stays(leftover, why);
}

/* Step 1. */
static struct vg_error *look_for_dependents(struct leftover *leftover)
{
	const struct vg_areas *areas = &leftover->session->areas;
	const char *name = vg_installed_name(leftover->installed);
	char *why;

	for (size_t i = 0; i < areas->count; i++) {
		const struct vg_installed *other = &areas->patches[i];

		if (other == leftover->installed || !other->object ||
		    !vg_patch_depends_on(other->object, name))
			continue;
		if (asprintf(&why, "patch %s, which depends on it, is still mapped",
			     vg_installed_name(other)) < 0)
			return no_memory();
		return stays(leftover, why);
	}
	return NULL;
}

/* Step 2. */
static struct vg_error *look_while_running(struct leftover *leftover)
{
	struct vg_pointer_search search = start_search(leftover, leftover->session->target.pid);

	search.skip_stacks = true;
	VG_TRY(vg_pointer_search(&search));
	leftover->bytes = search.bytes;
	return conclude(leftover, &search);
}

/* Some 10 ms for each 64 MiB; nobody is held longer for the sake of some pages. */
#define UNTRACKED_BYTES (UINT64_C(64) << 20)

static struct vg_error *keep_out_of_stop(struct leftover *leftover)
{
	char *why;

	if (leftover->bytes <= UNTRACKED_BYTES)
		return NULL;
	if (asprintf(&why,
		     "a search of %" PRIu64 " MiB for pointers to it would hold the threads too "
		     "long on this kernel (6.7 or later keeps track of written pages)",
		     leftover->bytes >> 20) < 0)
		return no_memory();
	return stays(leftover, why);
}

/*
 * Step 3, just before the stop: with the kernel keeping track of what is written from now on, the
 * stop need only search that. The search for coroutines may have made it do so already.
 */
static struct vg_error *look_before_stop(void *context)
{
	struct leftover *leftover = context;
	const struct vg_session *session = leftover->session;
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};
	struct vg_pointer_search search = start_search(leftover, session->target.pid);

	leftover->is_tracked = leftover->protector >= 0 || vg_stacks_tracks(session->stacks);
	if (!leftover->is_tracked)
		return keep_out_of_stop(leftover);
	VG_TRY(vg_maps_read(session->target.pid, &maps));
	search.maps = &maps;
	search.skip_stacks = true;
	search.protector = leftover->protector;
	VG_TRY(vg_pointer_search(&search));
	leftover->is_tracked = !search.unreadable;
	return conclude(leftover, &search);
}

/* It only makes the stop shorter: where it can't be had, there is no more to say. */
static void track(struct leftover *leftover)
{
	struct vg_session *session = leftover->session;
	struct vg_hold_options options = {.suspend_seccomp = session->options->suspend_seccomp,
					  .deadline = vg_clock_now() + TRACK_WAIT};

	if (!vg_stacks_tracks(session->stacks))
		vg_error_free(vg_written_open(&session->target, &options, &leftover->protector,
					      &session->inject));
}

/* A register, of whatever kind, that points into the patch. */
static struct vg_error *look_at_registers(struct leftover *leftover,
					  const struct vg_pointer_search *search, pid_t tid,
					  struct user_regs_struct *regs)
{
	_cleanup_free_ uint8_t *xstate = calloc(1, XSTATE_BYTES);
	struct iovec vectors = {.iov_base = xstate, .iov_len = XSTATE_BYTES};
	char *why;

	if (!xstate)
		return no_memory();
	if (ptrace(PTRACE_GETREGS, tid, NULL, regs) < 0 ||
	    (ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &vectors) < 0 &&
	     ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRFPREG, &vectors) < 0))
		return vg_error_errno(VG_FAILED, errno, "cannot read the registers of thread %d",
				      tid);
	if (!vg_pointer_search_bytes(search, regs, sizeof(*regs)) &&
	    !vg_pointer_search_bytes(search, xstate, vectors.iov_len))
		return NULL;
	if (asprintf(&why, "a register of thread %d still points into it", tid) < 0)
		return no_memory();
	return stays(leftover, why);
}

/* The stack pointers of all threads that stand, behind those of suspended coroutines. */
static struct vg_error *look_at_threads(struct leftover *leftover, struct vg_pointer_search *search,
					uint64_t **pointers)
{
	const struct vg_stop_threads *threads = leftover->threads.threads;
	size_t count;
	uint64_t *grown;

	VG_TRY(vg_stacks_context_pointers(leftover->session->stacks, pointers, &count));
	grown = reallocarray(*pointers, count + threads->count + 1, sizeof(*grown));
	if (!grown)
		return no_memory();
	*pointers = grown;
	for (size_t i = 0; i < threads->count && !leftover->why; i++) {
		struct user_regs_struct regs;

		if (threads->threads[i].state != VG_THREAD_STOPPED)
			continue;
		VG_TRY(look_at_registers(leftover, search, threads->threads[i].tid, &regs));
		grown[count++] = regs.rsp;
	}
	search->stack_pointers = grown;
	search->stack_pointer_count = count;
	return NULL;
}

/* Step 3, with all threads stopped. */
static struct vg_error *look_in_stop(void *context)
{
	struct leftover *leftover = context;
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};
	_cleanup_free_ uint64_t *pointers = NULL;
	struct vg_pointer_search search =
		start_search(leftover, vg_stop_threads_any(leftover->threads.threads));

	VG_TRY(vg_maps_read(leftover->session->target.pid, &maps));
	search.maps = &maps;
	search.only_written = leftover->is_tracked;
	if (leftover->why)
		return NULL;
	VG_TRY(look_at_threads(leftover, &search, &pointers));
	if (leftover->why)
		return NULL;
	VG_TRY(vg_pointer_search(&search));
	return conclude(leftover, &search);
}

static struct vg_error *stop_and_look(struct leftover *leftover)
{
	_cleanup_(vg_ranges_clear) struct vg_ranges ranges = {0};
	_cleanup_free_ struct vg_code_area *areas = NULL;
	struct vg_stop_request request = {.prepare = look_before_stop,
					  .commit = look_in_stop,
					  .context = leftover,
					  .hooks = &leftover->threads};

	VG_TRY(vg_ranges_revert(leftover->installed, &ranges));
	VG_TRY(vg_ranges_patch_areas(leftover->installed, &areas, &request.area_count));
	request.ranges = ranges.ranges;
	request.range_count = ranges.count;
	request.areas = areas;
	track(leftover);
	/* What was just taken out is worth the time allowed; what stayed before gets one answer. */
	return vg_quiesce(leftover->session, &request, leftover->installed->state == VGA_RETIRED);
}

static struct vg_error *look_everywhere(struct leftover *leftover)
{
	VG_TRY(list_ranges(leftover));
	VG_TRY(look_for_dependents(leftover));
	if (!leftover->why)
		VG_TRY(look_while_running(leftover));
	if (!leftover->why)
		VG_TRY(stop_and_look(leftover));
	if (!leftover->why)
		VG_TRY(vg_install_remove(leftover->session, leftover->installed));
	return NULL;
}

static struct vg_error *retire(struct leftover *leftover, bool again)
{
	const struct vg_installed *installed = leftover->installed;

	if (again)
		return NULL;
	vg_result_note(leftover->session->result,
		       "the memory of patch %s, which is out, stays mapped: %s; the next apply or "
		       "revert looks again",
		       vg_installed_name(installed), leftover->why);
	return vg_switch_state(&leftover->session->target.memory,
			       installed->areas[0].header.area_address, VGA_RETIRED);
}

static struct vg_error *give_back_one(struct vg_session *session,
				      const struct vg_installed *installed)
{
	_cleanup_(clear) struct leftover leftover = {
		.session = session, .installed = installed, .protector = -1};
	struct vg_error *error = look_everywhere(&leftover);

	if (error) {
		vg_result_forget_blockers(session->result);
		free(leftover.why);
		leftover.why = strdup(vg_error_text(error));
		vg_error_free(error);
	}
	if (!vg_live_target_is_alive(&session->target))
		return vg_error_new(VG_FAILED, "process %d ended meanwhile", session->target.pid);
	return leftover.why ? retire(&leftover, installed->state == VGA_RETIRED) : NULL;
}

static bool is_out(const struct vg_installed *installed)
{
	return installed->state == VGA_DISARMED || installed->state == VGA_RETIRED;
}

struct vg_error *vg_give_back(struct vg_session *session)
{
	VG_TRY(vg_session_look(session));
	/* Whatever happens to one, those below keep their places. */
	for (size_t i = session->areas.count; i-- > 0;) {
		if (!is_out(&session->areas.patches[i]))
			continue;
		VG_TRY(give_back_one(session, &session->areas.patches[i]));
		VG_TRY(vg_session_look(session));
	}
	return NULL;
}
