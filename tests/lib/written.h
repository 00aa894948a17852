/* SPDX-License-Identifier: MIT */
/* What the patcher has in a target, in this process: the kernel keeps track of written pages. */
#ifndef TESTS_LIB_WRITTEN_H
#define TESTS_LIB_WRITTEN_H

/* A descriptor for vg_written_protect(); to be closed. Skips the test before Linux 6.7. */
int vg_track_writes(void);

#endif
