/* SPDX-License-Identifier: MIT */
#include "patcher/leaving.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "patcher/coroutine.h"
#include "patcher/pages.h"

/* Each some milliseconds, in the stop. */
#define BRIEF_BYTES	      (UINT64_C(16) << 20)
#define BRIEF_UNTRACKED_BYTES (UINT64_C(2) << 20)

/* Intel SDM vol. 1, 13.4 and 13.5: the header tells which components hold anything. */
#define XSTATE_BYTES	  (16u << 10) /* AMX included */
#define XSTATE_TO_AVX	  832	      /* the legacy region, the header, AVX */
#define XSTATE_HEADER	  512
#define COMPONENTS_TO_AVX UINT64_C(7)

/* Registers of one thread, which no check has read; memory. */
struct vg_leaving_room {
	uint8_t xstate[XSTATE_BYTES];
	size_t xstate_bytes; /* to ask for */
	struct iovec vector;
	uint8_t buffer[VG_POINTER_SEARCH_BYTES];
};

struct vg_error *vg_leaving_add(struct vg_leaving *leaving, const struct vg_installed *installed)
{
	struct vg_leaving_patch *grown =
		reallocarray(leaving->patches, leaving->count + 1, sizeof(*grown));

	if (!grown)
		return vg_error_no_memory();
	leaving->patches = grown;
	grown[leaving->count] = (struct vg_leaving_patch){
		.primary = installed->areas[0].header.area_address,
	};
	return vg_stored_ranges(installed, &grown[leaving->count++].stored);
}

void vg_leaving_clear(struct vg_leaving *leaving)
{
	for (size_t i = 0; i < leaving->count; i++) {
		vg_stored_ranges_clear(&leaving->patches[i].stored);
		free(leaving->patches[i].why);
	}
	free(leaving->patches);
	free(leaving->found);
	free(leaving->room);
	vg_maps_file_close(&leaving->maps);
	vg_suspects_clear(&leaving->suspects);
	vg_suspects_clear(&leaving->taken);
	vg_suspects_clear(&leaving->written);
	if (leaving->pagemap >= 0)
		close(leaving->pagemap);
	*leaving = VG_LEAVING_NONE;
}

const struct vg_leaving_patch *vg_leaving_find(const struct vg_leaving *leaving, uint64_t primary)
{
	for (size_t i = 0; i < leaving->count; i++)
		if (leaving->patches[i].primary == primary)
			return &leaving->patches[i];
	return NULL;
}

/* The ranges of all patches that may still be freed, and whose each is. */
struct judged {
	struct vg_pointer_range *ranges;
	struct vg_leaving_patch **owners;
	size_t count;
};

static void clear_judged(struct judged *judged)
{
	free(judged->ranges);
	free(judged->owners);
}

static bool list_judged(const struct vg_leaving *leaving, struct judged *judged)
{
	size_t count = 0;

	for (size_t i = 0; i < leaving->count; i++)
		count += leaving->patches[i].stored.count;
	judged->ranges = calloc(count + 1, sizeof(*judged->ranges));
	judged->owners = calloc(count + 1, sizeof(struct vg_leaving_patch *));
	if (!judged->ranges || !judged->owners)
		return false;
	for (size_t i = 0; i < leaving->count; i++) {
		struct vg_leaving_patch *patch = &leaving->patches[i];

		for (size_t r = 0; patch->verdict != VG_LEAVING_STAYS && r < patch->stored.count;
		     r++) {
			judged->ranges[judged->count] = patch->stored.ranges[r];
			judged->owners[judged->count++] = patch;
		}
	}
	return true;
}

static struct vg_pointer_search start(const struct vg_leaving *leaving, const struct vg_maps *maps,
				      const struct judged *judged)
{
	return (struct vg_pointer_search){.memory = &leaving->session->target.memory,
					  .maps = maps,
					  .pagemap = leaving->pagemap,
					  .buffer = leaving->room->buffer,
					  .may_be_held_back = leaving->may_be_held_back,
					  .ranges = judged->ranges,
					  .range_count = judged->count,
					  .has_guard = leaving->has_guard,
					  .guard = leaving->guard};
}

/* Names the mapping that has the word. */
static char *describe(const struct vg_pointer_search *search)
{
	const struct vg_map *map = vg_maps_find(search->maps, search->found);
	char *text;

	if (asprintf(&text, "the word at 0x%" PRIx64 "%s%s still points into it", search->found,
		     map && *map->path ? " in " : "", map ? map->path : "") < 0)
		return NULL;
	return text;
}

/* Memory that is touched now is no page fault of ours in the stop. */
static struct vg_error *make_ready(struct vg_leaving *leaving)
{
	pid_t pid = leaving->session->target.pid;

	if (!leaving->room)
		leaving->room = malloc(sizeof(*leaving->room));
	if (!leaving->room)
		return vg_error_no_memory();
	memset(leaving->room, 0xff, sizeof(*leaving->room));
	leaving->room->xstate_bytes = XSTATE_TO_AVX;
	if (leaving->pagemap < 0)
		leaving->pagemap = vg_pages_open(pid);
	if (leaving->maps.fd < 0)
		VG_TRY(vg_maps_file_open(pid, &leaving->maps));
	VG_TRY(vg_maps_file_read(&leaving->maps));
	leaving->may_be_held_back = vg_written_has_other(&leaving->session->target);
	leaving->has_guard = coroutine_guard(&leaving->session->target.memory, &leaving->guard);
	return NULL;
}

struct vg_error *vg_leaving_survey(struct vg_leaving *leaving)
{
	const struct vg_session *session = leaving->session;
	_cleanup_(clear_judged) struct judged judged = {0};
	struct vg_pointer_search search;

	if (!list_judged(leaving, &judged))
		return vg_error_no_memory();
	VG_TRY(make_ready(leaving));
	search = start(leaving, &leaving->maps.maps, &judged);
	search.suspects = &leaving->suspects;
	leaving->is_tracked = false;
	VG_TRY(vg_pointer_survey(&search));
	leaving->is_tracked = session->written >= 0;
	leaving->surveyed = search.bytes;
	free(leaving->found);
	leaving->found = search.found ? describe(&search) : NULL;
	return search.found && !leaving->found ? vg_error_no_memory() : NULL;
}

void vg_leaving_take(void *context, uint64_t start, uint64_t end)
{
	struct vg_leaving *leaving = context;

	vg_suspects_add(&leaving->taken, start, end);
}

static void add_written(void *context, uint64_t start, uint64_t end)
{
	struct vg_leaving *leaving = context;

	vg_suspects_add(&leaving->written, start, end);
}

struct vg_error *vg_leaving_survey_taken(struct vg_leaving *leaving)
{
	_cleanup_(clear_judged) struct judged judged = {0};
	struct vg_pointer_search search;

	if (!leaving->is_tracked)
		return NULL;
	if (!list_judged(leaving, &judged))
		return vg_error_no_memory();
	VG_TRY(vg_maps_file_read(&leaving->maps));
	search = start(leaving, &leaving->maps.maps, &judged);
	search.suspects = &leaving->suspects;
	return vg_pointer_survey_again(&search, &leaving->taken);
}

static void stays(struct vg_leaving_patch *patch, char *why)
{
	patch->verdict = VG_LEAVING_STAYS;
	patch->why = why;
}

static bool ask_for_xstate(pid_t tid, struct vg_leaving_room *room)
{
	room->vector = (struct iovec){room->xstate, room->xstate_bytes};
	return ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &room->vector) == 0;
}

/* Components behind what was asked for hold something. */
static bool is_cut_off(const struct vg_leaving_room *room)
{
	uint64_t components;

	if (room->vector.iov_len < XSTATE_TO_AVX || room->xstate_bytes > XSTATE_TO_AVX)
		return false;
	memcpy(&components, room->xstate + XSTATE_HEADER, sizeof(components));
	return components & ~COMPONENTS_TO_AVX;
}

/*
 * Most threads have nothing in the registers behind AVX, and there may be 10 KiB of them to copy
 * and to search. From the first one on that has, all are asked for all.
 */
static bool read_xstate(pid_t tid, struct vg_leaving_room *room)
{
	if (ask_for_xstate(tid, room)) {
		if (!is_cut_off(room))
			return true;
		room->xstate_bytes = XSTATE_BYTES;
		return ask_for_xstate(tid, room);
	}
	room->vector = (struct iovec){room->xstate, XSTATE_BYTES};
	return ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRFPREG, &room->vector) == 0;
}

/* What the stop's threads have; `found` is the one whose register points into a range. */
struct look {
	struct vg_pointer_search search;
	pid_t found;
};

/* A hook that ran since the check has put them back. */
static bool look_at_thread(struct look *look, const struct vg_stop_thread *thread,
			   struct vg_leaving_room *room)
{
	const struct user_regs_struct *general = &thread->registers;

	if (!thread->has_registers || !read_xstate(thread->tid, room))
		return false;
	if (vg_pointer_search_bytes(&look->search, general, sizeof(*general)) ||
	    vg_pointer_search_bytes(&look->search, room->xstate, room->vector.iov_len))
		look->found = thread->tid;
	look->search.stack_pointers[look->search.stack_pointer_count++] = general->rsp;
	return true;
}

/* False: a register cannot be read. */
static bool look_at_threads(struct look *look, const struct vg_leaving *leaving,
			    const struct vg_stop_threads *threads)
{
	for (size_t i = 0; i < threads->count && !look->found; i++)
		if (threads->threads[i].state == VG_THREAD_STOPPED &&
		    !look_at_thread(look, &threads->threads[i], leaving->room))
			return false;
	return true;
}

/* The stack pointers of suspended coroutines, with room for those of the threads. */
static bool list_pointers(const struct vg_leaving *leaving, const struct vg_stop_threads *threads,
			  struct vg_pointer_search *search, uint64_t **pointers)
{
	struct vg_error *error = vg_stacks_context_pointers(leaving->session->stacks, pointers,
							    &search->stack_pointer_count);
	uint64_t *grown;

	if (error) {
		vg_error_free(error);
		return false;
	}
	grown = reallocarray(*pointers, search->stack_pointer_count + threads->count + 1,
			     sizeof(*grown));
	if (!grown)
		return false;
	*pointers = search->stack_pointers = grown;
	return true;
}

static void say_register(struct vg_leaving_patch *patch, pid_t tid)
{
	char *why;

	if (asprintf(&why, "a register of thread %d still points into it", tid) < 0)
		why = NULL;
	stays(patch, why);
}

static void say_unreadable(struct vg_leaving *leaving, uint64_t address)
{
	for (size_t i = 0; i < leaving->count; i++) {
		struct vg_leaving_patch *patch = &leaving->patches[i];
		char *why;

		if (patch->verdict == VG_LEAVING_STAYS)
			continue;
		if (asprintf(&why,
			     "the memory at 0x%" PRIx64 " can't be searched for pointers to it",
			     address) < 0)
			why = NULL;
		stays(patch, why);
	}
}

static void set_free(struct vg_leaving *leaving)
{
	for (size_t i = 0; i < leaving->count; i++)
		if (leaving->patches[i].verdict != VG_LEAVING_STAYS)
			leaving->patches[i].verdict = VG_LEAVING_FREE;
}

/* Takes the verdicts from a search that came to its end. True: there is one more to be judged. */
static bool conclude(struct vg_leaving *leaving, const struct look *look,
		     const struct judged *judged)
{
	const struct vg_pointer_search *search = &look->search;

	if (look->found)
		say_register(judged->owners[search->found_range], look->found);
	else if (search->found)
		stays(judged->owners[search->found_range], describe(search));
	else if (search->unreadable)
		say_unreadable(leaving, search->unreadable);
	else if (!search->unfinished)
		set_free(leaving);
	return look->found || search->found;
}

/*
 * One search for pointers to all patches that do not stay. What one that stays holds in its
 * variables counts, so that the next search looks there too.
 */
static bool judge(struct vg_leaving *leaving, const struct vg_maps *maps, bool has_written,
		  const struct vg_stop_threads *threads)
{
	_cleanup_(clear_judged) struct judged judged = {0};
	_cleanup_free_ uint64_t *pointers = NULL;
	struct look look = {0};

	if (!list_judged(leaving, &judged))
		return false;
	if (!judged.count) {
		set_free(leaving);
		return false;
	}
	look.search = start(leaving, maps, &judged);
	look.search.only_written = leaving->is_tracked;
	look.search.suspects = leaving->is_tracked ? &leaving->suspects : NULL;
	look.search.written = leaving->is_tracked && has_written ? &leaving->written : NULL;
	if (leaving->is_brief)
		look.search.most = leaving->is_tracked ? BRIEF_BYTES : BRIEF_UNTRACKED_BYTES;
	if (!list_pointers(leaving, threads, &look.search, &pointers) ||
	    !look_at_threads(&look, leaving, threads))
		return false;
	if (!look.found)
		vg_pointer_search(&look.search);
	return conclude(leaving, &look, &judged);
}

/* As they are now. None at all is what a process has that ends. NULL: nobody can tell. */
static const struct vg_maps *read_maps(const struct vg_leaving *leaving)
{
	const struct vg_maps *maps;
	struct vg_error *error = vg_stacks_maps(leaving->session->stacks, &maps);
	bool is_read = !error && maps->count;

	vg_error_free(error);
	return is_read ? maps : NULL;
}

/* A hook that ran since they were listed may have written more, as the commit. */
static bool take_written(struct vg_leaving *leaving, const struct vg_stop_hooks *stop)
{
	leaving->written.count = 0;
	return !stop->nanoseconds && !leaving->has_written &&
	       vg_stacks_written(leaving->session->stacks, add_written, leaving) &&
	       !leaving->written.no_memory;
}

void vg_leaving_decide(struct vg_leaving *leaving, const struct vg_stop_hooks *stop)
{
	const struct vg_maps *maps;
	bool has_written;

	if (!leaving->count || !leaving->has_guard)
		return;
	maps = read_maps(leaving);
	has_written = take_written(leaving, stop);
	while (maps && judge(leaving, maps, has_written, stop->threads))
		;
}
