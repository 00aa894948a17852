/* SPDX-License-Identifier: MIT */
/* The threads of one stop. */
#include <stdlib.h>

#include "common/cleanup.h"
#include "patcher/stack_thread.h"

void stack_seen_forget(struct vg_stacks *stacks)
{
	for (size_t i = 0; i < stacks->seen_count; i++)
		free(stacks->seen[i].chain);
	free(vg_take(stacks->seen));
	stacks->seen_count = 0;
	stacks->knows_split = stacks->has_split = false;
}

void stack_seen_add(struct vg_stacks *stacks, pid_t tid, const struct user_regs_struct *regs,
		    const struct stack_own *own)
{
	struct stack_seen *grown;

	if (!stacks->can_coroutine)
		return; /* nobody will ask */
	grown = reallocarray(stacks->seen, stacks->seen_count + 1, sizeof(*grown));
	if (!grown)
		return;
	stacks->seen = grown;
	grown[stacks->seen_count++] = (struct stack_seen){
		.tid = tid,
		.regs = *regs,
		.own = *own,
	};
}

bool stack_seen_is_on_own(const struct stack_seen *seen)
{
	return seen->own.is_known && seen->regs.rsp >= seen->own.start &&
	       seen->regs.rsp < seen->own.end;
}

/* Reads the stack word by word: it is asked for once in a while, of one thread. */
static bool read_of(void *memory, uint64_t address, void *buffer, size_t count)
{
	return stack_read(memory, address, buffer, count);
}

const struct stack_chain *stack_seen_chain(struct vg_stacks *stacks, struct stack_seen *seen)
{
	struct stack_ranges none = stack_ranges_of(NULL, 0);

	if (seen->chain)
		return seen->chain;
	seen->chain = malloc(sizeof(*seen->chain));
	if (!seen->chain)
		return NULL;

	struct unwind_frame frame = unwind_frame_of(&seen->regs, read_of, (void *)stacks->memory);

	stack_chain_walk(&stacks->unwinder, &frame, &none, seen->chain);
	return seen->chain;
}
