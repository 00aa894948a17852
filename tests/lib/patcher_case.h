/* SPDX-License-Identifier: MIT */
/* What the patcher's live tests share: the running target, and patches made by hand. */
#ifndef TESTS_LIB_PATCHER_CASE_H
#define TESTS_LIB_PATCHER_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include <vgraft/patcher.h>

#include "common/elf_file.h"
#include "common/patch_object.h"
#include "tests/lib/process.h"

/* Path of a file in the folder of the running test program. */
char *vg_beside_test(const char *name);

struct vg_case {
	char *path; /* of the target's program */
	struct vg_process *process;
	pid_t pid;
};

/* `program`: "patcher_target" or "patcher_target_fixed"; threads of each kind, see there. */
void vg_case_start(struct vg_case *c, const char *program, const char *const threads[5]);
void vg_case_end(struct vg_case *c);

/* Sends a command; returns the line that answers it, which begins with `word`. */
char *vg_case_ask(struct vg_case *c, char command, const char *word);
void vg_case_expect_answers(struct vg_case *c, int first, int second);

struct vg_case_counts {
	unsigned long interrupted, calls, mixed, damaged;
};
struct vg_case_counts vg_case_counts(struct vg_case *c);

/* Where a function is. The plugin is what the target loads when it is told. */
enum vg_case_module { VG_CASE_PROGRAM, VG_CASE_LIBRARY, VG_CASE_PLUGIN };

/* One changed function: returns `value`; `entry` and what it displaces are its first instruction.
 */
struct vg_case_change {
	const char *function;
	int value;
	enum vg_case_module module;
};

/* What else a patch has. */
struct vg_case_extra {
	bool data;	     /* the new code takes its value from a variable of its own */
	const char *depends; /* NULL = none */
	const char *import;  /* function that the value is taken from: getpid */
	bool wrong_entry;    /* expects other bytes at the entry */
	bool far_reference;  /* a relocation that overflows */
	bool hook, replace;
	bool keeps; /* the new code stores in the target's `kept` where its variable lies */
	bool waits; /* the new code calls wait_in_busy */
};
struct vg_patch *vg_case_patch(const struct vg_case *c, const char *name,
			       const struct vg_case_change *changes, size_t count,
			       const struct vg_case_extra *extra);

/* Runs the verb; the outcome must be as said. The caller clears the result. */
void vg_case_apply(struct vg_case *c, const struct vg_patch *patch, double timeout,
		   enum vg_outcome outcome, struct vg_result *result);
void vg_case_revert(struct vg_case *c, const char *name, double timeout, enum vg_outcome outcome,
		    struct vg_result *result);
/* The same where only success matters. */
void vg_case_must_apply(struct vg_case *c, const struct vg_patch *patch);
void vg_case_must_revert(struct vg_case *c, const char *name);
/* In and out again: the target answers so while it is in, and 1 and 1 when it is out. */
void vg_case_must_go_in_and_out(struct vg_case *c, const struct vg_patch *patch, int first,
				int second);

/* Text of all private file mappings with code, and the list of mappings: to compare later. */
struct vg_case_picture {
	char *maps; /* without what the heap and stacks do */
	uint8_t *code;
	size_t code_bytes;
};
void vg_case_picture(const struct vg_case *c, struct vg_case_picture *picture);
void vg_case_expect_picture(const struct vg_case *c, const struct vg_case_picture *picture);
/*
 * The same after verbs that had to find a safe point for memory that an earlier one left: on a host
 * that gives threads no CPU to stop on, one verb more finds it.
 */
void vg_case_expect_settled(struct vg_case *c, const struct vg_case_picture *picture);
void vg_case_picture_clear(struct vg_case_picture *picture);

#endif
