/* SPDX-License-Identifier: MIT */
/*
 * QEMU's monitor protocol (QMP) over a unix socket, and a thread that keeps asking: whether the
 * monitor goes on answering while something is done to the process.
 *
 * Thread context: any; commands are sent one at a time.
 */
#ifndef TESTS_LIB_QMP_H
#define TESTS_LIB_QMP_H

#include <jansson.h>

#include <vgraft/error.h>

struct vg_qmp;

/* Connects to the socket and leaves the negotiation mode; waits until the socket is there. */
struct vg_error *vg_qmp_open(const char *path, struct vg_qmp **out) VG_MUST_CHECK;

/* One command and its answer. `arguments` is taken over; it may be NULL. `answer` may be NULL. */
struct vg_error *vg_qmp_ask(struct vg_qmp *qmp, const char *command, json_t *arguments,
			    json_t **answer) VG_MUST_CHECK;

/* From now on a thread asks for the machine's state again and again. */
struct vg_error *vg_qmp_keep_asking(struct vg_qmp *qmp) VG_MUST_CHECK;
/* Waits for `more` answers to that thread; an error if one was wrong or none comes. */
struct vg_error *vg_qmp_wait_answers(struct vg_qmp *qmp, unsigned long more) VG_MUST_CHECK;

/* Ends the thread and the connection. NULL is allowed. */
void vg_qmp_close(struct vg_qmp *qmp);

#endif
