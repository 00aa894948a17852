/* SPDX-License-Identifier: MIT */
/*
 * The stack check: may the code in `ranges` be switched now, as far as this thread or coroutine is
 * concerned?
 *
 * 1. Scan: every word of the live stack, and every register, is compared with the ranges. No hit:
 *    safe. A word that equals the first address of an entry is a pointer to a function, not a
 *    return address, and no hit; one that equals the end of a range is a hit (return address of a
 *    call that does not return).
 * 2. On a hit: unwind with CFI (.eh_frame, read from the mapped files, cached). Only if the whole
 *    chain unwinds to the outermost frame and no frame's instruction pointer lies in a range are
 *    the hits stale words, and the thread safe.
 * 3. Anything that cannot be decided is unsafe: an error is never taken for "safe".
 *
 * Thread context: vg_stacks_open() and vg_stacks_prepare() with the target running: they do the
 * reading of files and whatever else takes time. vg_stacks_check_thread() and
 * vg_stacks_check_coroutines() with all threads stopped.
 */
#ifndef PATCHER_STACK_CHECK_H
#define PATCHER_STACK_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include <vgraft/error.h>
#include <vgraft/patcher.h>

#include "common/process_maps.h"
#include "patcher/beside.h"
#include "patcher/memory.h"
#include "patcher/written.h"

struct vg_code_range {
	uint64_t start, end;  /* addresses in the target, [start, end) */
	const char *function; /* for the blocker; owned by the caller */
	/*
	 * An instruction pointer exactly at `start` of an entry is safe (nothing of it has run
	 * yet); in other ranges (parts, patch code) it is not.
	 */
	bool is_entry;
	/*
	 * The last instruction is no call, so that no return address is exactly `end`: there a
	 * stored word points to the function that comes next.
	 */
	bool ends_without_call;
};

/* Code that belongs to no file: the TEXT of a patch area, with its unwind information. */
struct vg_code_area {
	uint64_t start, end;
	uint64_t eh_frame; /* address in the target, 0 = none */
	uint64_t eh_frame_bytes;
	const char *name;
};

struct vg_stacks;

VG_MUST_CHECK struct vg_error *vg_stacks_open(pid_t pid, const struct vg_memory *memory,
					      struct vg_stacks **stacks);
void vg_stacks_close(struct vg_stacks *stacks);

/*
 * Before a stop, target running: rereads the maps, looks for suspended coroutines, and, once a
 * stop has met a hit, loads the CFI of the modules that were seen on stacks.
 * `areas` are the patch areas in the target.
 */
VG_MUST_CHECK struct vg_error *
vg_stacks_prepare(struct vg_stacks *stacks, const struct vg_code_area *areas, size_t area_count);

/*
 * Would it shorten a stop if the kernel kept track of the pages that are searched for coroutines?
 * To be asked after vg_stacks_prepare().
 */
bool vg_stacks_want_tracking(const struct vg_stacks *stacks);
/*
 * One round before the stop: what was written since it was searched last is protected again and
 * searched. *bytes is how much that was; 0 where nobody keeps track. `taken`, or NULL, gets all
 * pages that were protected again; *lost: but for some.
 */
VG_MUST_CHECK struct vg_error *vg_stacks_follow(struct vg_stacks *stacks, vg_written_fn *taken,
						void *context, uint64_t *bytes, bool *lost);
/*
 * The last thing before the stop: judges coroutines for these ranges, which the stop is then to be
 * asked with, so that it need not judge those again that stay as they are.
 */
void vg_stacks_settle(struct vg_stacks *stacks, const struct vg_code_range *ranges,
		      size_t range_count);
/* From now on vg_written_protect() was called before each vg_stacks_prepare(). */
void vg_stacks_track(struct vg_stacks *stacks);

/*
 * The stop begins: `beside` looks whether the maps are still what they were, which the check of
 * coroutines, vg_stacks_maps() and unusual stacks need. Without this call it is done then. Until
 * vg_stacks_resumed() or the next vg_stacks_prepare().
 */
void vg_stacks_stand(struct vg_stacks *stacks, struct vg_beside *beside);
void vg_stacks_resumed(struct vg_stacks *stacks);
/* In the stop: as they are now. They stay the stacks'. */
VG_MUST_CHECK struct vg_error *vg_stacks_maps(struct vg_stacks *stacks,
					      const struct vg_maps **maps);
/* Does vg_stacks_check_coroutines() look for any? */
bool vg_stacks_can_coroutine(const struct vg_stacks *stacks);

enum vg_verdict { VG_SAFE, VG_UNSAFE };

/*
 * One stopped thread. UNSAFE fills *blocker (owned by the caller), also when it is unsafe only
 * because something could not be decided (then `why` tells what, as the end of a sentence that
 * begins with "thread 12"; otherwise it is NULL). An error is a failure of the system, and no
 * verdict; VG_BUSY: the thread has ended.
 *
 * A thread that runs a coroutine has another context suspended on its own stack, which only
 * vg_stacks_check_coroutines() judges: the target is safe when both calls say so.
 */
VG_MUST_CHECK struct vg_error *vg_stacks_check_thread(struct vg_stacks *stacks, pid_t tid,
						      const struct user_regs_struct *regs,
						      const struct vg_code_range *ranges,
						      size_t range_count, enum vg_verdict *verdict,
						      struct vg_blocker *blocker, char **why);

/*
 * All suspended coroutines, after the threads of the same stop: contexts on the live stack of a
 * thread are told from coroutines by what vg_stacks_check_thread() saw. Stops at the first that is
 * unsafe. *count is how many are live.
 */
VG_MUST_CHECK struct vg_error *
vg_stacks_check_coroutines(struct vg_stacks *stacks, const struct vg_code_range *ranges,
			   size_t range_count, enum vg_verdict *verdict, struct vg_blocker *blocker,
			   char **why, unsigned *count);

/*
 * After that, in the same stop: gives the pages that were written since the search before the stop,
 * of all mappings that coroutine_is_searched() names. False: nobody has listed them.
 */
bool vg_stacks_written(const struct vg_stacks *stacks, vg_written_fn *take, void *context);

/* The stack pointers of all contexts that the last check of coroutines saw, live or not. */
VG_MUST_CHECK struct vg_error *vg_stacks_context_pointers(const struct vg_stacks *stacks,
							  uint64_t **pointers, size_t *count);

/* What the search for coroutines left out, as a sentence for people (owned by the caller), or NULL.
 */
char *vg_stacks_note(const struct vg_stacks *stacks);

/*
 * After the stop, target running: replaces the backtrace of a blocker of the last stop, which the
 * stop could only write as "module+0x1234", by "function+0x12 (module)" as far as the files that
 * the target maps have symbols. Best effort; of no weight for any verdict.
 */
void vg_stacks_name_blocker(struct vg_stacks *stacks, struct vg_blocker *blocker);

/* Backtrace of a stopped thread for people, best effort; "function+0x12 (module)". */
VG_MUST_CHECK struct vg_error *vg_stacks_backtrace(struct vg_stacks *stacks,
						   const struct user_regs_struct *regs,
						   char ***frames, size_t *count);

#endif
