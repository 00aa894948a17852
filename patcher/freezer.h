/* SPDX-License-Identifier: MIT */
/*
 * Is a process in a frozen cgroup (cgroup v1 freezer, or cgroup.freeze of v2)? Its threads do not
 * stop for a tracer (v1), or stop but make no system call (v2), until somebody thaws it.
 */
#ifndef PATCHER_FREEZER_H
#define PATCHER_FREEZER_H

#include <stdbool.h>

/*
 * `proc` is an open /proc/PID directory. False too where nobody can tell, as in a container that
 * does not see the target's cgroup.
 */
bool vg_freezer_holds(int proc);

#endif
