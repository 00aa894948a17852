/* SPDX-License-Identifier: MIT */
#include "tests/lib/kill_at.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "common/cleanup.h"

#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */

static void exec_traced(const char *const argv[])
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static bool is_call_entry(pid_t tid)
{
	struct __ptrace_syscall_info info = {0};
	long size = ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info);

	return size > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

/* What is to be handed on when a tracee goes on: a real signal, but no stop of ours. */
static long signal_to_deliver(int status)
{
	int signal = WSTOPSIG(status);

	return status >> 16 || signal == SYSCALL_STOP || signal == SIGTRAP || signal == SIGSTOP
		       ? 0
		       : signal;
}

/* Lets everything run from call to call until the n-th entry, or the end of `pid`. */
static void follow(pid_t pid, unsigned long n, struct vg_killed *result)
{
	int status;

	for (;;) {
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0 && errno == EINTR)
			continue;
		if (tid < 0)
			return;
		if (!WIFSTOPPED(status)) {
			if (tid == pid) {
				result->code = WIFEXITED(status) ? WEXITSTATUS(status)
								 : 128 + WTERMSIG(status);
				return;
			}
			continue;
		}
		if (WSTOPSIG(status) == SYSCALL_STOP && is_call_entry(tid) &&
		    ++result->calls == n) {
			result->killed = true;
			kill(pid, SIGKILL);
			/* The leader is reaped only after all its threads, which are our tracees. */
			while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
				;
			return;
		}
		ptrace(PTRACE_SYSCALL, tid, NULL, signal_to_deliver(status));
	}
}

/* In a process of its own: its only children are the command and its threads. */
static void run_killer(const char *const argv[], unsigned long n, int report)
{
	struct vg_killed result = {0};
	pid_t pid = fork();
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pid == 0)
		exec_traced(argv);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		_exit(1);
	ptrace(PTRACE_SETOPTIONS, pid, NULL,
	       PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
		       PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL);
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	follow(pid, n, &result);
	_exit(write(report, &result, sizeof(result)) == sizeof(result) ? 0 : 1);
}

struct vg_error *vg_kill_at(const char *const argv[], unsigned long n, struct vg_killed *result)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot make a pipe");
	_cleanup_close_ int reading = ends[0];
	pid_t killer = fork();
	if (killer == 0)
		run_killer(argv, n, ends[1]);
	close(ends[1]);
	if (killer < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot fork");
	ssize_t got = read(reading, result, sizeof(*result));
	waitpid(killer, NULL, 0);
	if (got != sizeof(*result))
		return vg_error_new(VG_FAILED, "cannot trace %s", argv[0]);
	return NULL;
}
