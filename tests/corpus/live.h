/* SPDX-License-Identifier: MIT */
/*
 * The process that is patched. It answers one line on its standard output to each line on its
 * standard input, and exits at end of input.
 */
#ifndef TESTS_CORPUS_LIVE_H
#define TESTS_CORPUS_LIVE_H

#include <sys/types.h>

#include <vgraft/error.h>

#include "tests/corpus/expect.h"

struct live {
	pid_t pid; /* 0: not running */
	int in, out;
};

VG_MUST_CHECK struct vg_error *live_start(struct live *live, const char *executable,
					  const char *directory);
/* Asks every question; an error tells the first wrong answer. `when` is for the sentence. */
VG_MUST_CHECK struct vg_error *live_ask(struct live *live, const struct probes *probes,
					const char *when);
/* End of input: it must exit with `code`. */
VG_MUST_CHECK struct vg_error *live_end(struct live *live, int code);
void live_kill(struct live *live); /* if it still runs */

/* What a revert must restore: the mappings, and the bytes of all code that comes from files. */
struct snapshot;
VG_MUST_CHECK struct vg_error *snapshot_take(const struct live *live, struct snapshot **snapshot);
/* Forgets private code of no file in `after` that is not in `before`: patches that are out. */
void snapshot_leave_out_new_code(const struct snapshot *before, struct snapshot *after);
VG_MUST_CHECK struct vg_error *snapshot_compare(const struct snapshot *before,
						const struct snapshot *after);
void snapshot_free(struct snapshot *snapshot); /* NULL is allowed */
static inline void snapshot_cleanup(struct snapshot **snapshot)
{
	snapshot_free(*snapshot);
}

#endif
