/* SPDX-License-Identifier: MIT */
#include "patcher/retire.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "common/cleanup.h"
#include "patcher/coroutine.h"
#include "patcher/install.h"
#include "patcher/pointer_search.h"
#include "patcher/quiesce.h"
#include "patcher/ranges.h"
#include "patcher/result.h"
#include "patcher/stop_threads.h"
#include "patcher/switch.h"

#define XSTATE_BYTES (16u << 10) /* AMX included (Intel SDM vol. 1, 13.5) */

/* One patch that is out. */
struct leftover {
	struct vg_session *session;
	const struct vg_installed *installed;
	struct vg_pointer_range *ranges; /* of its areas */
	struct vg_stop_hooks threads;	 /* of the stop */
	char *why;			 /* it has to stay, as the end of a sentence; or NULL */
};

static void clear(struct leftover *leftover)
{
	free(leftover->ranges);
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

static struct vg_error *list_ranges(struct leftover *leftover)
{
	const struct vg_installed *installed = leftover->installed;

	leftover->ranges = calloc(installed->area_count + 1, sizeof(*leftover->ranges));
	if (!leftover->ranges)
		return no_memory();
	for (size_t i = 0; i < installed->area_count; i++) {
		const struct vga_header *header = &installed->areas[i].header;

		leftover->ranges[i] = (struct vg_pointer_range){
			header->area_address, header->area_address + header->area_bytes};
	}
	return NULL;
}

static struct vg_pointer_search start_search(const struct leftover *leftover, pid_t tid)
{
	const struct vg_session *session = leftover->session;
	struct vg_pointer_search search = {.memory = &session->target.memory,
					   .maps = &session->maps,
					   .tid = tid,
					   .ranges = leftover->ranges,
					   .range_count = leftover->installed->area_count};

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
	return conclude(leftover, &search);
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
	struct vg_stop_request request = {
		.commit = look_in_stop, .context = leftover, .hooks = &leftover->threads};

	VG_TRY(vg_ranges_revert(leftover->installed, &ranges));
	VG_TRY(vg_ranges_patch_areas(leftover->installed, &areas, &request.area_count));
	request.ranges = ranges.ranges;
	request.range_count = ranges.count;
	request.areas = areas;
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
	_cleanup_(clear) struct leftover leftover = {.session = session, .installed = installed};
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
