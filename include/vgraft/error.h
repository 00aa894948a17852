/* SPDX-License-Identifier: MIT */
/*
 * Errors are values.
 *
 * A function that can fail returns `struct vg_error *`; NULL is success. The error is made where
 * the fault is found and carries one sentence: what was tried, on what, what the user can do.
 * The caller owns a returned error: it hands it on, or frees it. Nothing below the command layer
 * prints or exits.
 *
 * Thread context: any; an error belongs to one thread at a time.
 */
#ifndef VGRAFT_ERROR_H
#define VGRAFT_ERROR_H

#include <stdarg.h>

/* The exit codes of every verb. An error carries the code that its verb would exit with. */
enum vg_code {
	VG_DONE = 0,	/* done, or nothing to do */
	VG_FAILED = 1,	/* the tool or the system failed; the target is as it was */
	VG_USAGE = 2,	/* wrong command line, missing or unreadable file */
	VG_REFUSED = 3, /* a rule says no: see vg_error_rule() */
	VG_BUSY = 4,	/* no safe point within the time given; the target is as it was */
	VG_PARTIAL = 5, /* several targets, not all done */
};

struct vg_error;

#define VG_MUST_CHECK	__attribute__((warn_unused_result))
#define VG_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Out of memory never yields NULL: a static error stands in for one that cannot be allocated. */
struct vg_error *vg_error_new(enum vg_code code, const char *format, ...) VG_PRINTF(2, 3);

/* As vg_error_new(), with `: ` and strerror(errno_value) appended. */
struct vg_error *vg_error_errno(enum vg_code code, int errno_value, const char *format, ...)
	VG_PRINTF(3, 4);

/* A refusal (VG_REFUSED) by a named rule; `rule` must be a string constant from <vgraft/rules.h>.
 */
struct vg_error *vg_error_refuse(const char *rule, const char *format, ...) VG_PRINTF(2, 3);

/* Puts `format: ` in front of the sentence; takes `error` and returns it or its successor. */
struct vg_error *vg_error_prefix(struct vg_error *error, const char *format, ...) VG_PRINTF(2, 3);

enum vg_code vg_error_code(const struct vg_error *error); /* NULL is VG_DONE */
const char *vg_error_text(const struct vg_error *error);  /* never NULL; owned by the error */
const char *vg_error_rule(const struct vg_error *error);  /* NULL if no rule refused */
void vg_error_free(struct vg_error *error);		  /* NULL is allowed */

/* Returns from the calling function with the error of `call`, if it has one. */
#define VG_TRY(call)                                                                               \
	do {                                                                                       \
		struct vg_error *vg_try_error_ = (call);                                           \
		if (vg_try_error_)                                                                 \
			return vg_try_error_;                                                      \
	} while (0)

#endif
