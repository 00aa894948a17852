/* SPDX-License-Identifier: MIT */
/*
 * The verdict on suspended coroutines.
 *
 * Memory shows saved contexts; which of them will ever be resumed, nobody can tell for certain. A
 * context is stale only for a reason that is named here, otherwise it counts as live:
 *
 * 1. It lies in, or its stack pointer points into, the part below rsp of a stack that its thread is
 *    running on: dead memory (what a setjmp that returned left behind).
 * 2. Its chain of frames comes to a return address that is no code: the stack was used for
 * something else since. (Not so beyond a signal frame: what a coroutine that was made on an
 * alternate signal stack interrupted is gone, and the coroutine lives.)
 * 3. Its chain ends in glibc's code behind the function of a makecontext() that has returned.
 * 4. Its chain ends where that of a running thread ends: it is on that thread's stack, and the
 *    thread's own check has covered every frame that can still be returned to.
 * 5. It points into a frame of a running thread that is too small to hold a stack.
 *
 * A live context is safe if no word from its stack pointer up is a hit, or if its chain is complete
 * and no frame is in a range.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "patcher/stack_thread.h"

/* Most coroutines have less in use; a longer stack is unwound before it is scanned further. */
#define QUICK_SCAN_BYTES (UINT64_C(64) << 10)
/* Less memory than this is searched in no time. */
#define TRACKED_BYTES (UINT64_C(2) << 20)
/* MINSIGSTKSZ: what the kernel itself takes for the least that can be called a stack. */
#define STACK_MIN 2048

enum state { STALE, LIVE_SAFE, LIVE_UNSAFE };

struct look {
	struct vg_stacks *stacks;
	pid_t tid; /* to read by */
	struct stack_ranges ranges;
	const struct coroutine_context *context;
	uint64_t rsp, scan_end;
	struct stack_hits hits;
	struct stack_chain chain;
	const char *problem; /* NULL: a frame is in a range */
};

static bool is_between(uint64_t address, uint64_t start, uint64_t end)
{
	return address >= start && address < end;
}

/* Rule 1. */
static bool is_dead_memory(const struct look *look, uint64_t address)
{
	for (size_t i = 0; i < look->stacks->seen_count; i++) {
		const struct stack_seen *seen = &look->stacks->seen[i];

		if (seen->own.is_alone && stack_seen_is_on_own(seen) &&
		    is_between(address, seen->own.start, seen->regs.rsp))
			return true;
	}
	return false;
}

static bool is_code(const struct look *look, uint64_t address)
{
	const struct vg_map *map = vg_maps_find(&look->stacks->modules.maps, address);

	return map && map->executable;
}

/* Rule 2. A zero may be how hand-written code marks the end of a stack. */
static bool is_overwritten(const struct look *look)
{
	const struct stack_chain *chain = &look->chain;

	return chain->end == UNWIND_MISSING && !chain->crossed_signal && chain->last_ip &&
	       !is_code(look, chain->last_ip);
}

/* Rule 3. */
static bool is_finished(const struct look *look)
{
	return look->chain.finished && !look->chain.crossed_signal;
}

/*
 * Rule 4. A chain that goes through a signal frame does not tell where the stack ends: that of a
 * coroutine made on an alternate signal stack leads back into the frames of its maker.
 */
static bool is_covered_by(struct look *look, struct stack_seen *seen)
{
	const struct stack_chain *chain = stack_seen_chain(look->stacks, seen);

	if (look->chain.end != UNWIND_OUTERMOST || look->chain.crossed_signal)
		return false;
	return chain && chain->end == UNWIND_OUTERMOST && chain->top == look->chain.top &&
	       chain->last_ip == look->chain.last_ip;
}

/* Rule 5. The chain of the thread must be complete and kept whole to know its frames. */
static bool is_in_small_frame_of(struct look *look, struct stack_seen *seen)
{
	const struct stack_chain *chain;
	uint64_t low = seen->regs.rsp;

	if (!stack_seen_is_on_own(seen) || !is_between(look->rsp, low, seen->own.end))
		return false;
	chain = stack_seen_chain(look->stacks, seen);
	if (!chain || chain->end != UNWIND_OUTERMOST || chain->kept_count != chain->count)
		return false;
	for (size_t i = 0; i < chain->count; i++) {
		if (is_between(look->rsp, low, chain->kept_top[i]))
			return chain->kept_top[i] - low < STACK_MIN;
		low = chain->kept_top[i];
	}
	return false;
}

/* The rules that need chains of threads, which are made only for contexts that stand in the way. */
static bool belongs_to_a_thread(struct look *look)
{
	for (size_t i = 0; i < look->stacks->seen_count; i++)
		if (is_covered_by(look, &look->stacks->seen[i]) ||
		    is_in_small_frame_of(look, &look->stacks->seen[i]))
			return true;
	return false;
}

/* makecontext() has set it up and nobody has resumed it: it stands before its first instruction. */
static bool is_not_started(struct look *look)
{
	struct unwinder *unwinder = &look->stacks->unwinder;
	uint64_t rip = look->context->registers[CFI_RIP];
	struct cfi_table table;

	return unwind_modules_find(unwinder->modules, rip, &table) &&
	       cfi_find(&table, rip, &unwinder->entry) == CFI_OK && unwinder->entry.start == rip;
}

static void walk(struct look *look)
{
	struct unwind_frame frame = {
		.machine =
			{
				.known = look->context->known,
				.read = stack_window_read,
				.context = &look->stacks->window,
			},
		.exact = is_not_started(look),
	};

	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		frame.machine.registers[i] = look->context->registers[i];
	stack_chain_walk(&look->stacks->unwinder, &frame, &look->ranges, &look->chain);
}

/* To the end of the mapping; on a thread's own stack up to its control block. */
static uint64_t end_of_stack(const struct look *look)
{
	const struct vg_map *map = vg_maps_find(&look->stacks->modules.maps, look->rsp);
	uint64_t end = map ? map->end : look->rsp;

	for (size_t i = 0; i < look->stacks->seen_count; i++) {
		const struct stack_own *own = &look->stacks->seen[i].own;

		if (own->is_known && is_between(look->rsp, own->start, own->end) && own->end < end)
			end = own->end;
	}
	return end;
}

static bool scan_to(struct look *look, uint64_t start, uint64_t end)
{
	return stack_scan_resident(look->stacks, &look->ranges, look->tid, start, end, &look->hits);
}

/* The start of the stack, in one read for most. Sets scan_end to how far it got. */
static struct vg_error *scan_quickly(struct look *look, uint64_t end)
{
	struct stack_window *window = &look->stacks->window;

	look->scan_end = end - look->rsp > QUICK_SCAN_BYTES ? look->rsp + QUICK_SCAN_BYTES : end;
	VG_TRY(stack_window_fill(window, look->tid, look->rsp, look->scan_end));
	stack_scan_words(&look->ranges, window->words, window->count / 8, window->start,
			 &look->hits);
	if (!scan_to(look, window->start + window->count, look->scan_end))
		look->scan_end = look->rsp;
	return NULL;
}

/* The chain is not complete and nothing says that the context is stale: every word counts. */
static enum state judge_by_words(struct look *look, uint64_t end)
{
	bool is_whole = end - look->rsp <= COROUTINE_MAP_MAX &&
			(look->scan_end == end || scan_to(look, look->scan_end, end));

	if (is_whole && !look->hits.count && !look->chain.hit)
		return LIVE_SAFE;
	if (!look->chain.hit)
		look->problem = is_whole ? stack_chain_problem(&look->chain)
					 : "is on a stack that cannot be read to its end";
	return belongs_to_a_thread(look) ? STALE : LIVE_UNSAFE;
}

static struct vg_error *judge(struct look *look, enum state *state)
{
	uint64_t end = end_of_stack(look);

	*state = STALE;
	if (is_dead_memory(look, look->context->address) || is_dead_memory(look, look->rsp))
		return NULL;
	VG_TRY(scan_quickly(look, end));
	walk(look);
	if (is_finished(look) || is_overwritten(look))
		return NULL;
	if (look->chain.end != UNWIND_OUTERMOST)
		*state = judge_by_words(look, end);
	else if (look->chain.hit)
		*state = belongs_to_a_thread(look) ? STALE : LIVE_UNSAFE;
	else
		*state = LIVE_SAFE;
	return NULL;
}

/* Coroutines are counted by the ends of their stacks: each may have more than one context. */
struct tally {
	uint64_t *tops;
	size_t count;
};

static bool is_thread_stack(const struct look *look)
{
	for (size_t i = 0; i < look->stacks->seen_count; i++) {
		const struct stack_own *own = &look->stacks->seen[i].own;

		if (own->is_known && is_between(look->rsp, own->start, own->end))
			return !look->chain.is_coroutine;
	}
	return false;
}

static void count_live(struct tally *tally, const struct look *look)
{
	uint64_t *grown;

	if (is_thread_stack(look))
		return;
	for (size_t i = 0; i < tally->count; i++)
		if (tally->tops[i] == look->chain.top)
			return;
	grown = reallocarray(tally->tops, tally->count + 1, sizeof(*grown));
	if (!grown)
		return;
	tally->tops = grown;
	grown[tally->count++] = look->chain.top;
}

static struct vg_error *report(struct look *look, enum vg_verdict *verdict,
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

/* Both lists are sorted: *from goes along with the questions. */
static bool is_judged(const struct coroutine_search *judged, size_t *from,
		      const struct coroutine_context *context)
{
	while (*from < judged->count && judged->contexts[*from].address < context->address)
		++*from;
	for (size_t i = *from; i < judged->count; i++) {
		if (judged->contexts[i].address != context->address)
			return false;
		if (judged->contexts[i].kind == context->kind)
			return true;
	}
	return false;
}

/* All contexts of a search that are not in `judged`, until one is unsafe. */
static struct vg_error *judge_all(struct vg_stacks *stacks, const struct coroutine_search *search,
				  const struct coroutine_search *judged,
				  const struct stack_ranges *ranges, struct tally *tally,
				  enum vg_verdict *verdict, struct vg_blocker *blocker, char **why)
{
	size_t from = 0;

	for (size_t i = 0; i < search->count && *verdict == VG_SAFE; i++) {
		if (is_judged(judged, &from, &search->contexts[i]))
			continue;
		struct look look = {
			.stacks = stacks,
			.tid = search->tid,
			.ranges = *ranges,
			.context = &search->contexts[i],
			.rsp = search->contexts[i].registers[CFI_RSP],
		};
		enum state state;

		VG_TRY(judge(&look, &state));
		if (state != STALE)
			count_live(tally, &look);
		if (state == LIVE_UNSAFE)
			VG_TRY(report(&look, verdict, blocker, why));
	}
	return NULL;
}

/* glibc keeps the guard that is in use in each thread's control block, at fs:0x30. */
static void take_guard_from_thread(struct vg_stacks *stacks)
{
	uint64_t guard;

	if (stacks->seen_count && stacks->seen[0].regs.fs_base &&
	    stack_read(stacks->seen[0].tid, stacks->seen[0].regs.fs_base + 0x30, &guard, 8)) {
		stacks->inside.guard = guard;
		stacks->has_guard = true;
	}
}

/* What the search before the stop found, as it is now. */
static void reread(struct vg_stacks *stacks)
{
	struct coroutine_search *before = &stacks->before;
	size_t kept = 0;

	before->tid = stacks->modules.reader;
	before->maps = &stacks->modules.maps;
	before->guard = stacks->inside.guard;
	for (size_t i = 0; i < before->count; i++) {
		struct coroutine_context old = before->contexts[i];

		if (coroutine_read(before, old.address, old.kind, &before->contexts[kept]))
			kept++;
	}
	before->count = kept;
}

static struct vg_error *begin_inside(struct vg_stacks *stacks)
{
	struct coroutine_search *inside = &stacks->inside;

	if (!stacks->maps_are_fresh)
		VG_TRY(unwind_modules_refresh(&stacks->modules));
	stacks->maps_are_fresh = true;
	inside->tid = stacks->modules.reader;
	inside->maps = &stacks->modules.maps;
	inside->guard = stacks->before.guard;
	take_guard_from_thread(stacks);
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

	VG_TRY(begin_inside(stacks));
	if (!stacks->has_guard)
		return undecided(verdict, why, "its pointer guard cannot be read");
	reread(stacks);
	VG_TRY(judge_all(stacks, &stacks->before, &none, ranges, tally, verdict, blocker, why));
	if (*verdict == VG_UNSAFE)
		return NULL;
	stacks->inside.sweep = stacks->before.sweep;
	stacks->inside.only_written = stacks->is_protected;
	VG_TRY(coroutine_search(&stacks->inside));
	stacks->before.sweep = stacks->inside.sweep;
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

/* Unwinding every context once reads the unwind information that the stop will ask for. */
static void warm(struct vg_stacks *stacks)
{
	for (size_t i = 0; i < stacks->before.count; i++) {
		struct look look = {
			.stacks = stacks,
			.tid = stacks->before.tid,
			.ranges = stack_ranges_of(NULL, 0),
			.context = &stacks->before.contexts[i],
		};

		stacks->window.tid = look.tid;
		stacks->window.count = 0;
		walk(&look);
	}
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
	before->tid = stacks->modules.reader;
	before->maps = &stacks->modules.maps;
	stacks->has_guard = coroutine_guard(stacks->pid, before->tid, &before->guard);
	if (!stacks->has_guard)
		return NULL; /* a thread's control block will tell it */
	VG_TRY(coroutine_search(before));
	stacks->is_protected = stacks->is_tracked && !before->unreadable;
	warm(stacks);
	return NULL;
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
