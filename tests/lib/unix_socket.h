/* SPDX-License-Identifier: MIT */
#ifndef TESTS_LIB_UNIX_SOCKET_H
#define TESTS_LIB_UNIX_SOCKET_H

#include <vgraft/error.h>

/* Connects to a unix socket; waits until it is there. Reading from it has a hang limit. */
VG_MUST_CHECK struct vg_error *vg_unix_connect(const char *path, int *fd);

#endif
