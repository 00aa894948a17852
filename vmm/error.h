/* SPDX-License-Identifier: MIT */
/*
 * Errors are values, here too: a function that can fail returns `struct vmm_error *`, NULL is
 * success, and the sentence says what was tried, on what, and what the user can do. The caller
 * owns a returned error. Only main.c and run.c print.
 *
 * Thread context: any; an error belongs to one thread at a time.
 */
#ifndef VMM_ERROR_H
#define VMM_ERROR_H

/* What vgraft-vmm exits with. */
enum vmm_exit {
	VMM_EXIT_DONE = 0,   /* the guest reset or powered itself off */
	VMM_EXIT_FAILED = 1, /* the host or the guest's virtual hardware failed */
	VMM_EXIT_USAGE = 2,  /* wrong command line, missing or unreadable file */
};

struct vmm_error;

#define VMM_MUST_CHECK	 __attribute__((warn_unused_result))
#define VMM_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Out of memory never yields NULL: a static error stands in for one that cannot be allocated. */
struct vmm_error *vmm_error_new(enum vmm_exit code, const char *format, ...) VMM_PRINTF(2, 3);

/* As vmm_error_new(), with `: ` and strerror(errno_value) appended. */
struct vmm_error *vmm_error_errno(enum vmm_exit code, int errno_value, const char *format, ...)
	VMM_PRINTF(3, 4);

struct vmm_error *vmm_error_no_memory(void);

enum vmm_exit vmm_error_code(const struct vmm_error *error); /* NULL is VMM_EXIT_DONE */
const char *vmm_error_text(const struct vmm_error *error);   /* never NULL; owned by the error */
void vmm_error_free(struct vmm_error *error);		     /* NULL is allowed */

/* Returns from the calling function with the error of `call`, if it has one. */
#define VMM_TRY(call)                                                                              \
	do {                                                                                       \
		struct vmm_error *vmm_try_error_ = (call);                                         \
		if (vmm_try_error_)                                                                \
			return vmm_try_error_;                                                     \
	} while (0)

#endif
