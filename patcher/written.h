/* SPDX-License-Identifier: MIT */
/*
 * Which pages of a target were written since they were last looked at? So that a stop need only
 * search these again.
 *
 * The kernel keeps track (Linux 6.7: PAGEMAP_SCAN and UFFD_FEATURE_WP_ASYNC, see
 * Documentation/admin-guide/mm/pagemap.rst) for mappings that a userfaultfd of the target protects:
 *
 *  1. A thread of the target is held for two calls: userfaultfd(), and, when we have got the
 *     descriptor (pidfd_getfd), close(). It is ours alone from then on: when we close it, or are
 *     killed, the kernel forgets all protection. A tool that is killed between the two calls leaves
 *     a descriptor that does nothing and that an exec closes: a note in a patch area says that one
 *     may be there, and the next verb closes it. It is told from one of the target's own by this:
 *     nobody has given it features (UFFDIO_API). As long as the target has another such one,
 *     none is made.
 *  2. Pages are write-protected while the target runs, and then searched. A write to one costs a
 *     fault, which the kernel settles by itself and remembers.
 *  3. In the stop, PAGEMAP_SCAN tells which pages lost their protection. What is not protected (a
 *     mapping that is new, or that another userfaultfd has) counts as written.
 *
 * The memory of guests is never protected: only what is searched.
 */
#ifndef PATCHER_WRITTEN_H
#define PATCHER_WRITTEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

#include "common/process_maps.h"
#include "patcher/hold.h"

/*
 * Step 1. *fd is -1 where it can't be had: an older kernel, or seccomp filters that would not let
 * the calls pass. An error is one of the hold, after which the target is as it was. `journal`: the
 * address of a patch area, whose header gets the note.
 */
VG_MUST_CHECK struct vg_error *vg_written_open(const struct vg_live_target *target,
					       const struct vg_hold_options *options,
					       uint64_t journal, int *fd, uint64_t *nanoseconds);
/* For a header that has the note: closes what was left, if it was, and takes the note back. */
VG_MUST_CHECK struct vg_error *vg_written_recover(const struct vg_live_target *target,
						  const struct vg_hold_options *options,
						  uint64_t journal, bool *closed,
						  uint64_t *nanoseconds);

/* Has the target a userfaultfd, with which it may hold pages back? Ours is none of its. */
bool vg_written_has_other(const struct vg_live_target *target);

/*
 * Step 2, for all private memory that is searched. Target running. Whoever wants to be told in the
 * stop what was written must search after this call, and nobody may call it in between.
 */
void vg_written_protect(int fd, pid_t pid, const struct vg_maps *maps);

typedef void vg_written_fn(void *context, uint64_t start, uint64_t end);

/* Step 3; `pagemap` is an open /proc/PID/pagemap: gives the runs of pages that have content and
 * were written, in ascending order. False: nobody can tell. */
bool vg_written_list(int pagemap, uint64_t start, uint64_t end, vg_written_fn *take, void *context);
/*
 * The same of protected mappings only, and protects the pages again: from now on they count as
 * written only if they are written once more. Target running; whoever asks in the stop must have
 * searched them after this call. False: some may be protected again and were not given.
 */
bool vg_written_take(int pagemap, uint64_t start, uint64_t end, vg_written_fn *take, void *context);

#endif
