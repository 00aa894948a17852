/* SPDX-License-Identifier: MIT */
/*
 * Whether a process has run, or read, code that belongs to no file: the processor marks each page
 * that it touches, and the kernel tells (proc(5): clear_refs, smaps). Nothing is attached to the
 * process for it.
 */
#ifndef TESTS_LIB_CODE_PAGES_H
#define TESTS_LIB_CODE_PAGES_H

#include <sys/types.h>

#include <vgraft/error.h>

/* Forgets which pages were touched. */
VG_MUST_CHECK struct vg_error *vg_code_pages_forget(pid_t pid);
/* *bytes: how much of the executable, not writable memory without a file was touched since. */
VG_MUST_CHECK struct vg_error *vg_code_pages_touched(pid_t pid, unsigned long *bytes);

#endif
