/* SPDX-License-Identifier: MIT */
#include "patcher/beside.h"

static void become(struct vg_beside *beside, enum vg_beside_state state)
{
	beside->state = state;
	pthread_cond_broadcast(&beside->changed);
}

/* With the lock held, which the job is done without. */
static void run(struct vg_beside *beside)
{
	become(beside, VG_BESIDE_RUNNING);
	pthread_mutex_unlock(&beside->lock);
	beside->job(beside->context);
	pthread_mutex_lock(&beside->lock);
	become(beside, VG_BESIDE_IDLE);
}

static void *work(void *argument)
{
	struct vg_beside *beside = argument;

	pthread_mutex_lock(&beside->lock);
	while (beside->state != VG_BESIDE_ENDING) {
		if (beside->state == VG_BESIDE_OFFERED)
			run(beside);
		else
			pthread_cond_wait(&beside->changed, &beside->lock);
	}
	pthread_mutex_unlock(&beside->lock);
	return NULL;
}

void vg_beside_start(struct vg_beside *beside)
{
	*beside = (struct vg_beside){.lock = PTHREAD_MUTEX_INITIALIZER,
				     .changed = PTHREAD_COND_INITIALIZER};
	beside->has_thread = !pthread_create(&beside->thread, NULL, work, beside);
}

void vg_beside_offer(struct vg_beside *beside, void (*job)(void *context), void *context)
{
	pthread_mutex_lock(&beside->lock);
	beside->job = job;
	beside->context = context;
	become(beside, VG_BESIDE_OFFERED);
	pthread_mutex_unlock(&beside->lock);
}

static void wait_for_job(struct vg_beside *beside)
{
	while (beside->state == VG_BESIDE_RUNNING)
		pthread_cond_wait(&beside->changed, &beside->lock);
}

void vg_beside_wait(struct vg_beside *beside)
{
	pthread_mutex_lock(&beside->lock);
	if (beside->state == VG_BESIDE_OFFERED)
		run(beside);
	wait_for_job(beside);
	pthread_mutex_unlock(&beside->lock);
}

void vg_beside_end(struct vg_beside *beside)
{
	pthread_mutex_lock(&beside->lock);
	wait_for_job(beside);
	become(beside, VG_BESIDE_ENDING);
	pthread_mutex_unlock(&beside->lock);
	if (beside->has_thread)
		pthread_join(beside->thread, NULL);
}
