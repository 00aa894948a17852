/* SPDX-License-Identifier: MIT */
/*
 * Suspended coroutines: their contexts are looked for, and each is judged (stack_judge.c).
 *
 *  Before the stop, target running:
 *  1. All memory is searched.
 *  2. Where the kernel keeps track of what is written: rounds, each of which protects the pages
 *     again that were written since they were searched last, and then searches them.
 *  3. Every context is judged, as far as this can be done without knowing where threads stand: what
 *     is stale or safe then is settled.
 *  In the stop:
 *  4. The pages that were written since are listed; without track of them, all.
 *  5. Settled contexts that lie on none of these pages, nor any byte of their stacks that the
 *     verdict rests on, are what they were. The other ones are read and judged again.
 *  6. The listed pages are searched for contexts that nobody has seen yet.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "patcher/stack_judge.h"

/* Less memory than this is searched in no time. */
#define TRACKED_BYTES (UINT64_C(2) << 20)

/* Coroutines are counted by the ends of their stacks: each may have more than one context. */
struct tally {
	uint64_t *tops;
	size_t count;
};

static bool is_on_thread_stack(const struct vg_stacks *stacks, uint64_t rsp)
{
	for (size_t i = 0; i < stacks->seen_count; i++) {
		const struct stack_own *own = &stacks->seen[i].own;

		if (own->is_known && rsp >= own->start && rsp < own->end)
			return true;
	}
	return false;
}

/* `top`, `is_coroutine`: of its chain. */
static void count_live(struct tally *tally, const struct vg_stacks *stacks, uint64_t rsp,
		       uint64_t top, bool is_coroutine)
{
	uint64_t *grown;

	if (!is_coroutine && is_on_thread_stack(stacks, rsp))
		return;
	for (size_t i = 0; i < tally->count; i++)
		if (tally->tops[i] == top)
			return;
	grown = reallocarray(tally->tops, tally->count + 1, sizeof(*grown));
	if (!grown)
		return;
	tally->tops = grown;
	grown[tally->count++] = top;
}

static struct vg_error *report(struct stack_look *look, enum vg_verdict *verdict,
			       struct vg_blocker *blocker, char **why)
{
	const struct vg_code_range *range = look->chain.hit ? look->chain.hit : look->hits.first;

	*verdict = VG_UNSAFE;
	stack_report_blocker(look->stacks, 0, look->context->address, &look->chain,
			     range ? range->function : NULL, blocker);
	if (look->problem && asprintf(why,
				      "has an address in the function on its stack, and its chain "
				      "of calls %s",
				      look->problem) < 0)
		*why = NULL;
	return NULL;
}

static struct vg_error *judge_one(struct stack_look *look, struct tally *tally,
				  enum vg_verdict *verdict, struct vg_blocker *blocker, char **why)
{
	enum stack_state state;

	VG_TRY(stack_judge(look, &state));
	if (state != STACK_STALE)
		count_live(tally, look->stacks, look->rsp, look->chain.top,
			   look->chain.is_coroutine);
	return state == STACK_LIVE_UNSAFE ? report(look, verdict, blocker, why) : NULL;
}

/* All contexts of a search that are not in `judged`, until one is unsafe. */
static struct vg_error *judge_all(struct vg_stacks *stacks, const struct coroutine_search *search,
				  const struct coroutine_search *judged,
				  const struct stack_ranges *ranges, struct tally *tally,
				  enum vg_verdict *verdict, struct vg_blocker *blocker, char **why)
{
	for (size_t i = 0; i < search->count && *verdict == VG_SAFE; i++) {
		const struct coroutine_context *context = &search->contexts[i];
		struct stack_look look = stack_look_at(stacks, search, ranges, i);

		if (coroutine_search_knows(judged, context))
			continue;
		if (context->settled == COROUTINE_NOT_SETTLED)
			VG_TRY(judge_one(&look, tally, verdict, blocker, why));
		else if (context->settled == COROUTINE_SAFE)
			count_live(tally, stacks, look.rsp, context->top, context->is_coroutine);
	}
	return NULL;
}

/* glibc keeps the guard that is in use in each thread's control block, at fs:0x30. */
static void take_guard_from_thread(struct vg_stacks *stacks)
{
	uint64_t guard;

	if (stacks->seen_count && stacks->seen[0].regs.fs_base &&
	    stack_read(stacks->memory, stacks->seen[0].regs.fs_base + 0x30, &guard, 8)) {
		stacks->inside.guard = guard;
		stacks->has_guard = true;
	}
}

/* Step 5. */
static bool is_still_settled(const struct vg_stacks *stacks,
			     const struct coroutine_context *context)
{
	const struct coroutine_search *written = &stacks->inside;

	return context->settled != COROUTINE_NOT_SETTLED &&
	       !coroutine_search_has(written, context->address,
				     context->address + coroutine_bytes(context->kind)) &&
	       !coroutine_search_has(written, context->read_start, context->read_end);
}

/* What the search before the stop found, as it is now. */
static void reread(struct vg_stacks *stacks, const struct stack_ranges *ranges)
{
	struct coroutine_search *before = &stacks->before;
	bool counts = stacks->is_protected && stacks->settled_for == ranges->ranges &&
		      stacks->settled_generation == stacks->modules.generation;
	size_t kept = 0;

	before->memory = stacks->memory;
	before->maps = &stacks->modules.file.maps;
	before->guard = stacks->inside.guard;
	for (size_t i = 0; i < before->count; i++) {
		struct coroutine_context old = before->contexts[i];

		if (counts && is_still_settled(stacks, &old))
			before->contexts[kept++] = old;
		else if (coroutine_read(before, old.address, old.kind, &before->contexts[kept]))
			kept++;
	}
	before->count = kept;
}

static void begin_inside(struct vg_stacks *stacks)
{
	struct coroutine_search *inside = &stacks->inside;

	inside->memory = stacks->memory;
	inside->maps = &stacks->modules.file.maps;
	inside->guard = stacks->before.guard;
	take_guard_from_thread(stacks);
	inside->sweep = stacks->before.sweep;
	inside->only_written = stacks->is_protected;
	inside->protects_again = false;
}

/* Step 4. The maps of before the stop mostly are still true, and somebody else is looking. */
static struct vg_error *list(struct vg_stacks *stacks)
{
	struct coroutine_search *inside = &stacks->inside;
	unsigned changes = stacks->modules.file.changes;

	VG_TRY(coroutine_search_list(inside));
	stacks->before.sweep = inside->sweep;
	VG_TRY(stack_maps_freshen(stacks));
	if (stacks->modules.file.changes != changes)
		VG_TRY(coroutine_search_list(inside));
	stacks->has_listed = inside->only_written;
	return NULL;
}

static struct vg_error *undecided(enum vg_verdict *verdict, char **why, const char *problem)
{
	*verdict = VG_UNSAFE;
	if (asprintf(why, "coroutines of the target cannot be looked for, because %s", problem) < 0)
		*why = NULL;
	return NULL;
}

static struct vg_error *check(struct vg_stacks *stacks, const struct stack_ranges *ranges,
			      struct tally *tally, enum vg_verdict *verdict,
			      struct vg_blocker *blocker, char **why)
{
	static const struct coroutine_search none;

	begin_inside(stacks);
	if (!stacks->has_guard)
		return undecided(verdict, why, "its pointer guard cannot be read");
	VG_TRY(list(stacks));
	reread(stacks, ranges);
	VG_TRY(judge_all(stacks, &stacks->before, &none, ranges, tally, verdict, blocker, why));
	if (*verdict == VG_UNSAFE)
		return NULL;
	VG_TRY(coroutine_search_listed(&stacks->inside));
	VG_TRY(judge_all(stacks, &stacks->inside, &stacks->before, ranges, tally, verdict, blocker,
			 why));
	if (*verdict == VG_SAFE && stacks->inside.unreadable)
		return undecided(verdict, why, "a part of its memory cannot be read");
	return NULL;
}

struct vg_error *vg_stacks_check_coroutines(struct vg_stacks *stacks,
					    const struct vg_code_range *ranges, size_t range_count,
					    enum vg_verdict *verdict, struct vg_blocker *blocker,
					    char **why, unsigned *count)
{
	struct stack_ranges all = stack_ranges_of(ranges, range_count);
	struct tally tally = {0};
	struct vg_error *error = NULL;

	*verdict = VG_SAFE;
	*blocker = (struct vg_blocker){0};
	*why = NULL;
	if (stacks->can_coroutine)
		error = check(stacks, &all, &tally, verdict, blocker, why);
	*count = (unsigned)tally.count;
	free(tally.tops);
	return error;
}

bool vg_stacks_written(const struct vg_stacks *stacks, vg_written_fn *take, void *context)
{
	if (stacks->has_listed)
		coroutine_search_runs(&stacks->inside, take, context);
	return stacks->has_listed;
}

static void take_pointers(const struct coroutine_search *search, uint64_t *pointers, size_t *count)
{
	for (size_t i = 0; i < search->count; i++)
		pointers[(*count)++] = search->contexts[i].registers[CFI_RSP];
}

struct vg_error *vg_stacks_context_pointers(const struct vg_stacks *stacks, uint64_t **pointers,
					    size_t *count)
{
	*count = 0;
	*pointers = calloc(stacks->before.count + stacks->inside.count + 1, sizeof(**pointers));
	if (!*pointers)
		return vg_error_no_memory();
	if (!stacks->can_coroutine)
		return NULL;
	/* The search inside may have been told about written pages only. */
	take_pointers(&stacks->before, *pointers, count);
	take_pointers(&stacks->inside, *pointers, count);
	return NULL;
}

/* Does the verdict rest on nothing but bytes of which the kernel tells when they are written? */
static bool can_settle(const struct stack_look *look)
{
	const struct vg_map *map = vg_maps_find(&look->stacks->modules.file.maps, look->read_start);

	return map && coroutine_is_searched(map) && look->read_end <= map->end;
}

/* Step 3. Unwinding every context once also reads the unwind information that the stop needs. */
static void settle(struct vg_stacks *stacks, const struct stack_ranges *ranges, size_t number)
{
	struct coroutine_search *before = &stacks->before;
	struct coroutine_context *context = &before->contexts[number];
	enum stack_state state = STACK_LIVE_UNSAFE;
	struct stack_look look;
	struct vg_error *error;

	/* It was saved anew since it was found, perhaps; from now on the kernel would tell. */
	if (!coroutine_read(before, context->address, context->kind, context))
		return;
	look = stack_look_at(stacks, before, ranges, number);
	error = stack_judge(&look, &state);
	if (error || state == STACK_LIVE_UNSAFE || !can_settle(&look)) {
		vg_error_free(error);
		return;
	}
	context->settled = state == STACK_STALE ? COROUTINE_STALE : COROUTINE_SAFE;
	context->read_start = look.read_start;
	context->read_end = look.read_end;
	context->top = look.chain.top;
	context->is_coroutine = look.chain.is_coroutine;
}

void vg_stacks_settle(struct vg_stacks *stacks, const struct vg_code_range *ranges,
		      size_t range_count)
{
	struct stack_ranges all = stack_ranges_of(ranges, range_count);

	stacks->settled_for = ranges;
	stacks->settled_generation = stacks->modules.generation;
	for (size_t i = 0; i < stacks->before.count; i++)
		settle(stacks, &all, i);
}

struct vg_error *vg_stacks_follow(struct vg_stacks *stacks, vg_written_fn *taken, void *context,
				  uint64_t *bytes, bool *lost)
{
	struct coroutine_search *before = &stacks->before, *round = &stacks->inside;

	*bytes = 0;
	*lost = false;
	if (!stacks->is_protected)
		return NULL;
	/* The heaps of threads grow into what was no part of them. */
	VG_TRY(unwind_modules_refresh(&stacks->modules));
	round->memory = before->memory;
	round->maps = before->maps;
	round->guard = before->guard;
	round->sweep = before->sweep;
	round->only_written = round->protects_again = true;
	round->taken = taken;
	round->taken_context = context;
	VG_TRY(coroutine_search_list(round));
	round->taken = NULL;
	*lost = round->lost_track;
	VG_TRY(coroutine_search_listed(round));
	stacks->is_protected = !round->lost_track && !round->unreadable;
	*bytes = round->bytes;
	return coroutine_search_merge(before, round);
}

struct vg_error *stack_coroutines_prepare(struct vg_stacks *stacks)
{
	struct coroutine_search *before = &stacks->before;

	if (!stacks->use_generation || stacks->use_generation != stacks->modules.generation)
		stacks->can_coroutine = coroutine_is_possible(&stacks->modules);
	stacks->use_generation = stacks->modules.generation;
	stacks->is_protected = false;
	if (!stacks->can_coroutine)
		return NULL;
	before->memory = stacks->memory;
	before->maps = &stacks->modules.file.maps;
	stacks->has_guard = coroutine_guard(stacks->memory, &before->guard);
	if (!stacks->has_guard)
		return NULL; /* a thread's control block will tell it */
	VG_TRY(coroutine_search(before));
	stacks->is_protected = stacks->is_tracked && !before->unreadable;
	return NULL;
}

bool vg_stacks_can_coroutine(const struct vg_stacks *stacks)
{
	return stacks->can_coroutine;
}

bool vg_stacks_want_tracking(const struct vg_stacks *stacks)
{
	return !stacks->is_tracked && stacks->can_coroutine && stacks->before.bytes > TRACKED_BYTES;
}

void vg_stacks_track(struct vg_stacks *stacks)
{
	stacks->is_tracked = true;
}

char *vg_stacks_note(const struct vg_stacks *stacks)
{
	char *text;

	if (!stacks->can_coroutine || !stacks->before.left_out)
		return NULL;
	if (asprintf(&text,
		     "%lu MiB in mappings over 64 MiB were not searched for suspended coroutines",
		     stacks->before.left_out >> 20) < 0)
		return NULL;
	return text;
}
