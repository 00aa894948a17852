/* SPDX-License-Identifier: MIT */
/*
 * What a program of the corpus promises: its file `expect`, lines of `key: value`. The keys are
 * described in tests/corpus/README.
 */
#ifndef TESTS_CORPUS_EXPECT_H
#define TESTS_CORPUS_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

#include <vgraft/error.h>

#define EXPECT_MAX_PROBES 16

enum target_type { TYPE_PIE, TYPE_NOPIE, TYPE_STATIC, TYPE_SHARED, TYPE_PLUGIN, TYPE_STATIC_PIE };

struct probe {
	char *question, *answer;
};
struct probes {
	struct probe at[EXPECT_MAX_PROBES];
	size_t count;
};

/* A diff and what becomes of the program by it; the twin of a refused change is a second one. */
struct change {
	char *diff;	 /* file name in the folder */
	char *result;	 /* built, busy, refused, unchanged, failed */
	char *rule;	 /* refused: the rule that must be among the reasons */
	char *reason;	 /* a text that the reason holds */
	char *place;	 /* FILE:LINE that a reason names */
	char *functions; /* built: "changed a, new b" */
	char *blocker;	 /* busy: the function in which a thread stays */
	char *parts;	 /* built: the linker symbols of all parts */
	char *options;	 /* more options for vgraft build */
	char *explain;	 /* "TEXT | TEXT": what --explain must say */
	struct probes before, after, reverted, reapplied;
};

struct expect {
	char *mechanism;
	char *cc, *cflags, *ldflags;
	enum target_type type;
	char *target_cc;     /* the compiler that makes the target, if not the one in the compdb */
	char *target_cflags; /* flags of the target that the compdb does not show */
	char *unlinked;	     /* units that are in the compdb and not in the target */
	char *other_cflags;  /* flags of a second compilation of each unit, not in the target */
	char *outside;	     /* units that are missing in the compdb */
	char *strip;	     /* what strip(1) takes from the target: "all", "debug", "split" */
	char *stays;	     /* "maybe": a revert may leave the patch's memory mapped */
	char *rebuild;	     /* "yes": a second build must give the same bytes */
	int threads;	     /* 0: not checked */
	int exit;
	char *matrix;  /* words that limit --matrix, see matrix.c; "all": nothing does */
	char *pending; /* why it cannot pass yet, or NULL */
	struct change change, twin; /* twin.diff == NULL: none */
};

VG_MUST_CHECK struct vg_error *expect_read(const char *path, struct expect *expect);
void expect_clear(struct expect *expect);
bool change_is_built(const struct change *change); /* a patch object comes out */
bool change_is_busy(const struct change *change);  /* one that never goes in */
const char *target_type_word(enum target_type type);

#endif
