/* SPDX-License-Identifier: MIT */
/*
 * The verdict on one stopped thread.
 *
 * 1. Registers: rip in a range is unsafe; so is any other register that points into one, because it
 *    may be about to be jumped to.
 * 2. Own stack: with rsp in it, [rsp, end) is scanned. What lies below rsp is dead.
 * 3. Foreign stack (alternate signal stack, coroutine): from rsp to the end of its mapping is
 *    scanned, and the whole own stack too, since nobody knows yet which part of it is suspended.
 *    Of a split stack (gcc -fsplit-stack) more pieces may lie anywhere: that is decided by 4. So is
 *    a signal handler here that interrupted code on a third stack, as a coroutine's.
 * 4. No hit: safe. A hit: the chain of frames must unwind to its end with no frame in a range.
 * 5. The chain says which words are return addresses, so that it clears hits: all of them if it
 *    ends in the own stack and lies above them. A hit above the chain's end could belong to
 *    something that is suspended there (a coroutine whose stack is an array in an outer frame): it
 *    stays. A chain that ends where makecontext() began it clears the stack it is on; what is
 *    suspended on the thread's own stack is a saved context like any other, which the check of the
 *    coroutines finds and judges.
 */
#include "patcher/stack_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/error.h"
#include "patcher/stack_thread.h"

/* A foreign stack that reaches further than this above rsp is not scanned to its end. */
#define FOREIGN_SCAN_MAX (UINT64_C(8) << 20)

struct vg_error *vg_stacks_open(pid_t pid, const struct vg_memory *memory,
				struct vg_stacks **stacks)
{
	struct vg_stacks *made = calloc(1, sizeof(*made));

	if (!made)
		return vg_error_no_memory();
	made->pid = pid;
	made->memory = memory;
	made->pagemap = -1;
	unwind_modules_open(&made->modules, memory);
	made->unwinder.modules = &made->modules;
	*stacks = made;
	return NULL;
}

void vg_stacks_close(struct vg_stacks *stacks)
{
	if (!stacks)
		return;
	unwind_modules_close(&stacks->modules);
	coroutine_search_clear(&stacks->before);
	coroutine_search_clear(&stacks->inside);
	coroutine_sweep_free(stacks->before.sweep);
	stack_seen_forget(stacks);
	stack_report_forget(stacks);
	stack_symbols_free(stacks->symbols);
	stack_pagemap_forget(stacks);
	free(stacks);
}

struct vg_error *vg_stacks_prepare(struct vg_stacks *stacks, const struct vg_code_area *areas,
				   size_t area_count)
{
	VG_TRY(unwind_modules_refresh(&stacks->modules));
	VG_TRY(unwind_modules_set_areas(&stacks->modules, areas, area_count));
	unwind_modules_load_executable(&stacks->modules);
	if (stacks->saw_hit)
		unwind_modules_load(&stacks->modules);
	stacks->saw_hit = false;
	stacks->maps_are_fresh = stacks->has_listed = false;
	stack_report_forget(stacks);
	stack_seen_forget(stacks);
	stack_pagemap_forget(stacks);
	return stack_coroutines_prepare(stacks);
}

static void look_at_maps(void *context)
{
	struct vg_stacks *stacks = context;

	stacks->maps_are_unchanged = vg_maps_file_is_unchanged(&stacks->modules.file);
}

void vg_stacks_stand(struct vg_stacks *stacks, struct vg_beside *beside)
{
	stacks->beside = beside;
	stacks->maps_are_unchanged = false;
	vg_beside_offer(beside, look_at_maps, stacks);
}

void vg_stacks_resumed(struct vg_stacks *stacks)
{
	stacks->beside = NULL;
}

struct vg_error *stack_maps_freshen(struct vg_stacks *stacks)
{
	if (stacks->maps_are_fresh)
		return NULL;
	if (stacks->beside)
		vg_beside_wait(stacks->beside);
	if (!stacks->beside || !stacks->maps_are_unchanged)
		VG_TRY(unwind_modules_refresh(&stacks->modules));
	stacks->maps_are_fresh = true;
	return NULL;
}

struct vg_error *vg_stacks_maps(struct vg_stacks *stacks, const struct vg_maps **maps)
{
	*maps = &stacks->modules.file.maps;
	return stack_maps_freshen(stacks);
}

/* One thread that is looked at. */
struct look {
	struct vg_stacks *stacks;
	pid_t tid;
	const struct user_regs_struct *regs;
	struct stack_ranges ranges;
	struct stack_own own;
	bool is_split; /* asked of a foreign stack only */
	struct stack_hits own_hits, foreign_hits;
	const char *undecided; /* why a scan alone cannot tell, or NULL */
	struct stack_chain chain;
	bool has_chain;
};

static bool is_on_own_stack(const struct look *look)
{
	return look->own.is_known && look->regs->rsp >= look->own.start &&
	       look->regs->rsp < look->own.end;
}

/* Maps from before the stop may miss a stack: they are read again once, and only then. */
static struct vg_error *find_own_stack(struct look *look)
{
	struct vg_stacks *stacks = look->stacks;

	look->own = stack_own_of(stacks, look->tid, look->regs->fs_base);
	if (is_on_own_stack(look) || stacks->maps_are_fresh)
		return NULL;
	VG_TRY(stack_maps_freshen(stacks));
	look->own = stack_own_of(stacks, look->tid, look->regs->fs_base);
	return NULL;
}

static void scan_own(struct look *look)
{
	const struct stack_window *window = &look->stacks->window;
	uint64_t behind = window->start + window->count;

	stack_scan_words(&look->ranges, window->words, window->count / 8, window->start,
			 &look->own_hits);
	if (!stack_scan_region(&look->ranges, look->stacks->memory, behind, look->own.end,
			       &look->own_hits))
		look->undecided = "has a stack that cannot be read";
}

/*
 * cs, gs, fs and ss as the kernel stores them in each signal frame (struct sigcontext_64 of
 * asm/sigcontext.h): REG_CSGSFS of its ucontext.
 */
#define SEGMENTS UINT64_C(0x002b000000000033)

/* Was what this signal frame interrupted on a stack that is scanned? */
static bool is_over_scanned(const struct look *look, uint64_t segments, uint64_t end)
{
	uint64_t rsp;

	if (!stack_read(look->stacks->memory, segments - (REG_CSGSFS - REG_RSP) * sizeof(greg_t),
			&rsp, sizeof(rsp)))
		return false;
	return (rsp >= look->own.start && rsp < look->own.end) ||
	       (rsp >= look->regs->rsp && rsp < end);
}

/* Does a signal handler on this stack stand over code on a third one? Also if nobody can tell. */
static bool is_over_third_stack(const struct look *look, uint64_t end)
{
	const struct vg_code_range segments = {.start = SEGMENTS, .end = SEGMENTS};
	struct stack_ranges ranges = stack_ranges_of(&segments, 1);
	struct stack_hits frames = {0};

	if (!stack_scan_resident(look->stacks, &ranges, look->regs->rsp, end, &frames))
		return true;
	return frames.count > 2 || (frames.count && !(is_over_scanned(look, frames.lowest, end) &&
						      is_over_scanned(look, frames.highest, end)));
}

static void scan_foreign(struct look *look)
{
	const struct vg_map *map = vg_maps_find(&look->stacks->modules.file.maps, look->regs->rsp);
	uint64_t end;

	if (!map || !map->writable) {
		look->undecided = "has a stack pointer that points at no stack";
		return;
	}
	end = map->end;
	if (end - look->regs->rsp > FOREIGN_SCAN_MAX) {
		end = look->regs->rsp + FOREIGN_SCAN_MAX;
		look->undecided = "runs on a stack whose end is not known";
	}
	if (!stack_scan_resident(look->stacks, &look->ranges, look->regs->rsp, end,
				 &look->foreign_hits))
		look->undecided = "runs on a stack that cannot be read";
	if (!look->own.is_known)
		look->undecided = "has a stack of its own that was not found";
	else if (!stack_scan_resident(look->stacks, &look->ranges, look->own.start, look->own.end,
				      &look->own_hits))
		look->undecided = "has a stack of its own that cannot be read";
	if (!look->undecided && is_over_third_stack(look, end))
		look->undecided = "handles a signal that came while it ran on another stack";
	look->is_split = stack_is_split(look->stacks->memory, look->regs->fs_base);
	if (look->is_split && !look->undecided)
		look->undecided = "runs on a stack of several pieces";
}

static void walk(struct look *look)
{
	struct vg_stacks *stacks = look->stacks;
	struct unwind_frame frame = unwind_frame_of(look->regs, stack_window_read, &stacks->window);

	frame.is_split = look->is_split;
	stacks->saw_hit = true;
	stack_chain_walk(&stacks->unwinder, &frame, &look->ranges, &look->chain);
	look->has_chain = true;
}

static bool ends_in_own_stack(const struct look *look)
{
	return look->own.is_known && look->chain.top > look->own.start &&
	       look->chain.top <= look->own.end;
}

/* Step 5. NULL: the chain clears all hits. */
static const char *what_the_chain_leaves(const struct look *look)
{
	const struct stack_hits *own = &look->own_hits;

	if (look->chain.end != UNWIND_OUTERMOST)
		return stack_chain_problem(&look->chain);
	if (ends_in_own_stack(look)) {
		if (own->count && own->highest >= look->chain.top)
			return "ends below an address that could be a return address";
		return NULL;
	}
	if (look->chain.is_coroutine && look->stacks->can_coroutine)
		return NULL;
	return "ends on a stack that is not the thread's own";
}

static const struct vg_code_range *any_hit(const struct look *look)
{
	return look->own_hits.first ? look->own_hits.first : look->foreign_hits.first;
}

static struct vg_error *unsafe(struct look *look, const struct vg_code_range *range,
			       const char *problem, enum vg_verdict *verdict,
			       struct vg_blocker *blocker, char **why)
{
	if (!look->has_chain)
		walk(look);
	*verdict = VG_UNSAFE;
	stack_report_blocker(look->stacks, look->tid, 0, &look->chain,
			     range ? range->function : NULL, blocker);
	if (problem && asprintf(why, "%s", problem) < 0)
		*why = NULL;
	return NULL;
}

static struct vg_error *judge(struct look *look, enum vg_verdict *verdict,
			      struct vg_blocker *blocker, char **why)
{
	const char *left;
	char text[256];

	if (!any_hit(look) && !look->undecided)
		return NULL;
	walk(look);
	if (look->chain.hit)
		return unsafe(look, look->chain.hit, NULL, verdict, blocker, why);
	left = what_the_chain_leaves(look);
	if (!left)
		return NULL;
	snprintf(text, sizeof(text), "%s, and its chain of calls %s",
		 any_hit(look) ? "has an address in the function on its stack" : look->undecided,
		 left);
	return unsafe(look, any_hit(look), text, verdict, blocker, why);
}

static struct vg_error *check(struct look *look, enum vg_verdict *verdict,
			      struct vg_blocker *blocker, char **why)
{
	struct unwind_frame frame = unwind_frame_of(look->regs, NULL, NULL);
	const struct vg_code_range *hit = stack_ip_hit(&look->ranges, look->regs->rip, true);

	VG_TRY(find_own_stack(look));
	stack_seen_add(look->stacks, look->tid, look->regs, &look->own);
	VG_TRY(stack_window_fill(&look->stacks->window, look->stacks->memory, look->regs->rsp,
				 is_on_own_stack(look) ? look->own.end
						       : look->regs->rsp + STACK_WINDOW_BYTES));
	if (hit)
		return unsafe(look, hit, NULL, verdict, blocker, why);
	hit = stack_register_hit(&look->ranges, &frame.machine);
	if (hit)
		return unsafe(look, hit, "has a register that points into the function", verdict,
			      blocker, why);
	if (look->regs->rsp % 8)
		return unsafe(look, NULL, "has a stack pointer that is not aligned", verdict,
			      blocker, why);
	if (is_on_own_stack(look))
		scan_own(look);
	else
		scan_foreign(look);
	return judge(look, verdict, blocker, why);
}

struct vg_error *vg_stacks_check_thread(struct vg_stacks *stacks, pid_t tid,
					const struct user_regs_struct *regs,
					const struct vg_code_range *ranges, size_t range_count,
					enum vg_verdict *verdict, struct vg_blocker *blocker,
					char **why)
{
	struct look look = {
		.stacks = stacks,
		.tid = tid,
		.regs = regs,
		.ranges = stack_ranges_of(ranges, range_count),
	};

	*verdict = VG_SAFE;
	*blocker = (struct vg_blocker){0};
	*why = NULL;
	if (!range_count)
		return NULL;
	return check(&look, verdict, blocker, why);
}

struct vg_error *vg_stacks_backtrace(struct vg_stacks *stacks, const struct user_regs_struct *regs,
				     char ***frames, size_t *count)
{
	struct stack_window *window = &stacks->window;
	struct stack_ranges none = stack_ranges_of(NULL, 0);
	struct stack_chain chain;

	*frames = NULL;
	*count = 0;
	VG_TRY(stack_window_fill(window, stacks->memory, regs->rsp,
				 regs->rsp + STACK_WINDOW_BYTES));

	struct unwind_frame frame = unwind_frame_of(regs, stack_window_read, window);

	stack_chain_walk(&stacks->unwinder, &frame, &none, &chain);
	stack_report_frames(stacks, &chain, frames, count);
	return NULL;
}
