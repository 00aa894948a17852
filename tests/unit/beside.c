/* SPDX-License-Identifier: MIT */
#include <semaphore.h>

#include "patcher/beside.h"
#include "tests/lib/suite.h"

struct job {
	sem_t begins, may_end;
	pthread_t who;
	int runs;
};

static void count(void *context)
{
	struct job *job = context;

	job->who = pthread_self();
	job->runs++;
}

static void count_when_told(void *context)
{
	struct job *job = context;

	sem_post(&job->begins);
	sem_wait(&job->may_end);
	count(job);
}

START_TEST(a_job_is_done_by_another_thread_meanwhile)
{
	struct job job = {.runs = 0};
	struct vg_beside beside;

	sem_init(&job.begins, 0, 0);
	sem_init(&job.may_end, 0, 0);
	vg_beside_start(&beside);
	for (int i = 0; i < 100; i++) {
		vg_beside_offer(&beside, count_when_told, &job);
		sem_wait(&job.begins);
		sem_post(&job.may_end);
		vg_beside_wait(&beside);
		ck_assert_int_eq(job.runs, i + 1);
		ck_assert(!pthread_equal(job.who, pthread_self()));
	}
	vg_beside_end(&beside);
}
END_TEST

START_TEST(every_job_is_done_once_whoever_comes_first)
{
	struct job job = {.runs = 0};
	struct vg_beside beside;

	vg_beside_start(&beside);
	for (int i = 0; i < 10000; i++) {
		vg_beside_offer(&beside, count, &job);
		vg_beside_wait(&beside);
		vg_beside_wait(&beside);
		ck_assert_int_eq(job.runs, i + 1);
	}
	vg_beside_end(&beside);
}
END_TEST

START_TEST(without_a_thread_the_caller_does_it)
{
	struct job job = {.runs = 0};
	struct vg_beside beside = {.lock = PTHREAD_MUTEX_INITIALIZER,
				   .changed = PTHREAD_COND_INITIALIZER};

	vg_beside_offer(&beside, count, &job);
	vg_beside_wait(&beside);
	ck_assert_int_eq(job.runs, 1);
	ck_assert(pthread_equal(job.who, pthread_self()));
	vg_beside_offer(&beside, count, &job);
	vg_beside_end(&beside);
	ck_assert_int_eq(job.runs, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("beside");
	TCase *tcase = tcase_create("beside");

	tcase_add_test(tcase, a_job_is_done_by_another_thread_meanwhile);
	tcase_add_test(tcase, every_job_is_done_once_whoever_comes_first);
	tcase_add_test(tcase, without_a_thread_the_caller_does_it);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
