/* SPDX-License-Identifier: MIT */
/* What the patcher has in a target, also in this process: the kernel keeps track of written pages.
 */
#ifndef TESTS_LIB_WRITTEN_H
#define TESTS_LIB_WRITTEN_H

#include <sys/types.h>

/* A descriptor for vg_written_protect(); to be closed. Skips the test before Linux 6.7. */
int vg_track_writes(void);
/* How many userfaultfds a process has. */
unsigned vg_count_userfaultfds(pid_t pid);

#endif
