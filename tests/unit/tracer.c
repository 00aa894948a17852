/* SPDX-License-Identifier: MIT */
/* Whoever releases the dead must leave the stops of the living alone. */
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/error.h"
#include "patcher/clock.h"
#include "patcher/tracer.h"
#include "tests/lib/suite.h"

#define SOON (vg_clock_now() + 10 * VG_SECOND)

static pid_t start(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid)
		for (;;)
			pause();
	ck_assert_int_eq(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	return pid;
}

START_TEST(to_reap_a_thread_that_stands_takes_nothing_of_its_stop)
{
	pid_t pid = start();
	struct vg_trace_event event;

	ck_assert_int_eq(kill(pid, SIGUSR1), 0);
	ck_assert_int_eq(vg_trace_wait(pid, SOON).state, VG_TRACE_STOPPED);
	vg_trace_reap(pid);
	event = vg_trace_look(pid);
	ck_assert_int_eq(event.state, VG_TRACE_STOPPED);
	ck_assert(vg_trace_is_signal_stop(&event));
	ck_assert_int_eq(event.signal, SIGUSR1);
	kill(pid, SIGKILL);
}
END_TEST

START_TEST(a_dead_one_is_gone_once_it_is_reaped)
{
	pid_t pid = start();

	vg_trace_reap(pid);
	ck_assert_int_eq(vg_trace_look(pid).state, VG_TRACE_RUNNING);
	kill(pid, SIGKILL);
	ck_assert_int_eq(vg_trace_wait(pid, SOON).state, VG_TRACE_GONE);
	ck_assert_int_eq(kill(pid, 0), 0);
	vg_trace_reap(pid);
	ck_assert_int_eq(kill(pid, 0), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tracer");
	TCase *tcase = tcase_create("tracer");

	tcase_add_test(tcase, to_reap_a_thread_that_stands_takes_nothing_of_its_stop);
	tcase_add_test(tcase, a_dead_one_is_gone_once_it_is_reaped);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
