/* SPDX-License-Identifier: MIT */
#include "patcher/stack_chain.h"

const struct vg_code_range *stack_register_hit(const struct stack_ranges *ranges,
					       const struct cfi_machine *machine)
{
	for (unsigned i = 0; i < CFI_RIP; i++) {
		const struct vg_code_range *range = NULL;

		if (i != CFI_RSP && (machine->known & (1u << i)))
			range = stack_word_hit(ranges, machine->registers[i]);
		if (range)
			return range;
	}
	return NULL;
}

static void keep(struct stack_chain *chain, const struct unwind_frame *frame)
{
	if (chain->kept_count == CHAIN_KEPT_MAX)
		return;
	chain->kept[chain->kept_count] = unwind_ip(frame);
	chain->kept_exact[chain->kept_count++] = frame->exact;
}

static const struct vg_code_range *frame_hit(const struct stack_ranges *ranges,
					     const struct unwind_frame *frame)
{
	const struct vg_code_range *hit = stack_ip_hit(ranges, unwind_ip(frame), frame->exact);

	if (!hit && frame->interrupted)
		hit = stack_register_hit(ranges, &frame->machine);
	return hit;
}

void stack_chain_walk(struct unwinder *unwinder, struct unwind_frame *frame,
		      const struct stack_ranges *ranges, struct stack_chain *chain)
{
	*chain = (struct stack_chain){.end = UNWIND_CALLER};
	while (chain->end == UNWIND_CALLER && chain->count < CHAIN_FRAMES_MAX) {
		keep(chain, frame);
		if (!chain->hit)
			chain->hit = frame_hit(ranges, frame);
		chain->last_ip = unwind_ip(frame);
		chain->count++;
		chain->end = unwind_step(unwinder, frame, &chain->top);
		if (chain->count == chain->kept_count)
			chain->kept_top[chain->count - 1] = chain->top;
		chain->crossed_signal |= frame->interrupted;
	}
	chain->is_coroutine = frame->is_coroutine;
	chain->finished = frame->finished;
}

const char *stack_chain_problem(const struct stack_chain *chain)
{
	switch (chain->end) {
	case UNWIND_CALLER:
		return "has more frames than can be looked at";
	case UNWIND_MISSING:
		return "goes through code without unwind information";
	case UNWIND_BROKEN:
		return "does not fit its unwind information";
	default:
		return "ends before the start of the thread";
	}
}
