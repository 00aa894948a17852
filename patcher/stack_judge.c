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
#include "patcher/stack_judge.h"

#include "common/error.h"

/* Most coroutines have less in use; a longer stack is unwound before it is scanned further. */
#define QUICK_SCAN_BYTES (UINT64_C(64) << 10)
/* MINSIGSTKSZ: what the kernel itself takes for the least that can be called a stack. */
#define STACK_MIN 2048

static bool is_between(uint64_t address, uint64_t start, uint64_t end)
{
	return address >= start && address < end;
}

/* Rule 1. */
static bool is_dead_memory(const struct stack_look *look, uint64_t address)
{
	for (size_t i = 0; i < look->stacks->seen_count; i++) {
		const struct stack_seen *seen = &look->stacks->seen[i];

		if (seen->own.is_alone && stack_seen_is_on_own(seen) &&
		    is_between(address, seen->own.start, seen->regs.rsp))
			return true;
	}
	return false;
}

static bool is_code(const struct stack_look *look, uint64_t address)
{
	const struct vg_map *map = vg_maps_find(&look->stacks->modules.file.maps, address);

	return map && map->executable;
}

/* Rule 2. A zero may be how hand-written code marks the end of a stack. */
static bool is_overwritten(const struct stack_look *look)
{
	const struct stack_chain *chain = &look->chain;

	return chain->end == UNWIND_MISSING && !chain->crossed_signal && chain->last_ip &&
	       !is_code(look, chain->last_ip);
}

/* Rule 3. */
static bool is_finished(const struct stack_look *look)
{
	return look->chain.finished && !look->chain.crossed_signal;
}

/*
 * Rule 4. A chain that goes through a signal frame does not tell where the stack ends: that of a
 * coroutine made on an alternate signal stack leads back into the frames of its maker.
 */
static bool is_covered_by(struct stack_look *look, struct stack_seen *seen)
{
	const struct stack_chain *chain = stack_seen_chain(look->stacks, seen);

	if (look->chain.end != UNWIND_OUTERMOST || look->chain.crossed_signal)
		return false;
	return chain && chain->end == UNWIND_OUTERMOST && chain->top == look->chain.top &&
	       chain->last_ip == look->chain.last_ip;
}

/* Rule 5. The chain of the thread must be complete and kept whole to know its frames. */
static bool is_in_small_frame_of(struct stack_look *look, struct stack_seen *seen)
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
static bool belongs_to_a_thread(struct stack_look *look)
{
	for (size_t i = 0; i < look->stacks->seen_count; i++)
		if (is_covered_by(look, &look->stacks->seen[i]) ||
		    is_in_small_frame_of(look, &look->stacks->seen[i]))
			return true;
	return false;
}

/* makecontext() has set it up and nobody has resumed it: it stands before its first instruction. */
static bool is_not_started(struct stack_look *look)
{
	struct unwinder *unwinder = &look->stacks->unwinder;
	uint64_t rip = look->context->registers[CFI_RIP];
	struct cfi_table table;

	return unwind_modules_find(unwinder->modules, rip, &table) &&
	       cfi_find(&table, rip, &unwinder->entry) == CFI_OK && unwinder->entry.start == rip;
}

static void note_read(struct stack_look *look, uint64_t start, uint64_t end)
{
	look->read_start = start < look->read_start ? start : look->read_start;
	look->read_end = end > look->read_end ? end : look->read_end;
}

/* A cfi_read_fn. */
static bool read_noted(void *context, uint64_t address, void *buffer, size_t count)
{
	struct stack_look *look = context;

	note_read(look, address, address + count);
	return stack_window_read(&look->stacks->window, address, buffer, count);
}

static void walk(struct stack_look *look)
{
	struct unwind_frame frame = {
		.machine =
			{
				.known = look->context->known,
				.read = read_noted,
				.context = look,
			},
		.exact = is_not_started(look),
	};

	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		frame.machine.registers[i] = look->context->registers[i];
	stack_chain_walk(&look->stacks->unwinder, &frame, &look->ranges, &look->chain);
}

/* To the end of the mapping; on a thread's own stack up to its control block. */
static uint64_t end_of_stack(const struct stack_look *look)
{
	const struct vg_map *map = vg_maps_find(&look->stacks->modules.file.maps, look->rsp);
	uint64_t end = map ? map->end : look->rsp;

	for (size_t i = 0; i < look->stacks->seen_count; i++) {
		const struct stack_own *own = &look->stacks->seen[i].own;

		if (own->is_known && is_between(look->rsp, own->start, own->end) && own->end < end)
			end = own->end;
	}
	return end;
}

static bool scan_to(struct stack_look *look, uint64_t start, uint64_t end)
{
	return stack_scan_resident(look->stacks, &look->ranges, start, end, &look->hits);
}

/* The start of the stack, in one read for most. Sets scan_end to how far it got. */
static struct vg_error *scan_quickly(struct stack_look *look, uint64_t end)
{
	struct stack_window *window = &look->stacks->window;

	look->scan_end = end - look->rsp > QUICK_SCAN_BYTES ? look->rsp + QUICK_SCAN_BYTES : end;
	VG_TRY(stack_window_fill(window, look->stacks->memory, look->rsp, look->scan_end));
	stack_scan_words(&look->ranges, window->words, window->count / 8, window->start,
			 &look->hits);
	if (!scan_to(look, window->start + window->count, look->scan_end))
		look->scan_end = look->rsp;
	return NULL;
}

/*
 * Then other pieces of its stack may lie anywhere. Before the stop, when no thread was seen yet,
 * nobody can tell.
 */
static bool may_be_split(const struct stack_look *look)
{
	struct vg_stacks *stacks = look->stacks;

	if (!stacks->seen_count)
		return true;
	for (size_t i = 0; !stacks->knows_split && i < stacks->seen_count; i++)
		stacks->has_split |= stack_is_split(stacks->memory, stacks->seen[i].regs.fs_base);
	stacks->knows_split = true;
	return stacks->has_split;
}

/* The chain is not complete and nothing says that the context is stale: every word counts. */
static enum stack_state judge_by_words(struct stack_look *look, uint64_t end)
{
	bool is_whole = end - look->rsp <= COROUTINE_MAP_MAX &&
			(look->scan_end == end || scan_to(look, look->scan_end, end));

	if (is_whole && !look->hits.count && !look->chain.hit && !may_be_split(look))
		return STACK_LIVE_SAFE;
	if (!look->chain.hit)
		look->problem = is_whole ? stack_chain_problem(&look->chain)
					 : "is on a stack that cannot be read to its end";
	return belongs_to_a_thread(look) ? STACK_STALE : STACK_LIVE_UNSAFE;
}

struct vg_error *stack_judge(struct stack_look *look, enum stack_state *state)
{
	uint64_t end = end_of_stack(look);

	note_read(look, look->rsp, end);
	*state = STACK_STALE;
	if (is_dead_memory(look, look->context->address) || is_dead_memory(look, look->rsp))
		return NULL;
	VG_TRY(scan_quickly(look, end));
	walk(look);
	if (is_finished(look) || is_overwritten(look))
		return NULL;
	if (look->chain.end != UNWIND_OUTERMOST)
		*state = judge_by_words(look, end);
	else if (look->chain.hit)
		*state = belongs_to_a_thread(look) ? STACK_STALE : STACK_LIVE_UNSAFE;
	else
		*state = STACK_LIVE_SAFE;
	return NULL;
}

struct stack_look stack_look_at(struct vg_stacks *stacks, const struct coroutine_search *search,
				const struct stack_ranges *ranges, size_t number)
{
	uint64_t rsp = search->contexts[number].registers[CFI_RSP];

	return (struct stack_look){
		.stacks = stacks,
		.ranges = *ranges,
		.context = &search->contexts[number],
		.rsp = rsp,
		.read_start = rsp,
		.read_end = rsp,
	};
}
