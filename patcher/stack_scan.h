/* SPDX-License-Identifier: MIT */
/*
 * The scan: which words could be an instruction pointer in the code that is to be switched?
 *
 * Only words at addresses divisible by 8 are looked at. A return address lies where a call
 * instruction pushed it, and the psABI (§ 3.2.2) keeps rsp divisible by 8 at every call; the
 * instruction pointer in a signal frame and in a saved context is an aligned field. A thread whose
 * rsp is not so aligned keeps no such promise: the caller must not scan it, but treat it as
 * unknown.
 *
 * Nothing below rsp is looked at. In the red zone a leaf function keeps data, never a return
 * address: its own is at or above rsp, and its instruction pointer is the register.
 */
#ifndef PATCHER_STACK_SCAN_H
#define PATCHER_STACK_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "patcher/stack_check.h"
#include "patcher/stack_memory.h"

/* The ranges, with the interval that holds them all: most words are out of it. */
struct stack_ranges {
	const struct vg_code_range *ranges;
	size_t count;
	uint64_t low, span;
};

struct stack_hits {
	size_t count;
	uint64_t lowest, highest; /* addresses of the words */
	const struct vg_code_range *first;
};

struct stack_ranges stack_ranges_of(const struct vg_code_range *ranges, size_t count);

/*
 * Could this word be a return address or a saved instruction pointer in a range? The end belongs
 * to it: a function whose last instruction is a call that does not return leaves the address
 * behind itself. The first address of an entry does not: nothing has run, and it is what every
 * pointer to the function looks like.
 */
const struct vg_code_range *stack_word_hit(const struct stack_ranges *ranges, uint64_t word);

/* Is a frame in a range? `exact`: the address is that of the next instruction to run (innermost or
 * interrupted), otherwise it is a return address, and the call before it is what counts. */
const struct vg_code_range *stack_ip_hit(const struct stack_ranges *ranges, uint64_t ip,
					 bool exact);

/* Adds the hits in `words`, which were read from `address`. */
void stack_scan_words(const struct stack_ranges *ranges, const uint64_t *words, size_t count,
		      uint64_t address, struct stack_hits *hits);

/* Scans [start, end) of the target; false: something of it cannot be read. */
bool stack_scan_region(const struct stack_ranges *ranges, const struct vg_memory *memory,
		       uint64_t start, uint64_t end, struct stack_hits *hits);

#endif
