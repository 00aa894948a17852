/* SPDX-License-Identifier: MIT */
/*
 * One job at a time that a thread of the tool does beside its caller: while the target stands, the
 * processors that its threads ran on have nothing else to do.
 *
 * The thread is made before the stop and waits there. Where none could be made, or it gets no
 * processor before the caller needs the result, the caller does the job itself.
 */
#ifndef PATCHER_BESIDE_H
#define PATCHER_BESIDE_H

#include <pthread.h>
#include <stdbool.h>

struct vg_beside {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool has_thread;
	enum vg_beside_state {
		VG_BESIDE_IDLE,
		VG_BESIDE_OFFERED,
		VG_BESIDE_RUNNING,
		VG_BESIDE_ENDING,
	} state;
	void (*job)(void *context);
	void *context;
};

void vg_beside_start(struct vg_beside *beside);
/* `job` runs now, or in vg_beside_wait(), which returns when it is done. One at a time. */
void vg_beside_offer(struct vg_beside *beside, void (*job)(void *context), void *context);
void vg_beside_wait(struct vg_beside *beside);
/* An offer that nobody has taken is forgotten. */
void vg_beside_end(struct vg_beside *beside);

#endif
