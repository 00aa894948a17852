/* SPDX-License-Identifier: MIT */
/*
 * Would the seccomp filters of a thread let a system call pass? Answered without making the call:
 * the filters are read (PTRACE_SECCOMP_GET_FILTER) and run here, as the kernel would.
 *
 * All filters of a thread run for each call; the most restrictive action of them wins (seccomp(2)).
 */
#ifndef PATCHER_SECCOMP_H
#define PATCHER_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

struct vg_seccomp_filter {
	struct sock_filter *code;
	size_t count;
};

struct vg_seccomp {
	struct vg_seccomp_filter *filters;
	size_t count;
};

/*
 * Reads the filters of a thread that is stopped and traced by the caller. `mode` is what `Seccomp:`
 * in its status says. Strict mode and unreadable filters are refused.
 */
VG_MUST_CHECK struct vg_error *vg_seccomp_read(pid_t tid, int mode, struct vg_seccomp *seccomp);
void vg_seccomp_clear(struct vg_seccomp *seccomp);

/* The action for one call, with its data (SECCOMP_RET_*). */
uint32_t vg_seccomp_action(const struct vg_seccomp *seccomp, const struct seccomp_data *data);
/* Does the call pass unharmed? */
static inline bool vg_seccomp_passes(uint32_t action)
{
	action &= SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}
const char *vg_seccomp_action_name(uint32_t action);

/* Runs one filter. False: the kernel would not have taken such a filter. */
bool vg_seccomp_run(const struct sock_filter *code, size_t count, const struct seccomp_data *data,
		    uint32_t *result);

#endif
