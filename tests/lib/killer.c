/* SPDX-License-Identifier: MIT */
#include "tests/lib/killer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/suite.h"

#define MAX_THREADS  64
#define MAX_SEEN     4096
#define MAX_MESSAGES 65536
#define SYSCALL_STOP (SIGTRAP | 0x80)

/* A thread of the command that is between entry and exit of a system call. */
struct inside {
	pid_t tids[MAX_THREADS];
	size_t count;
};

/* All threads that made a call so far. */
struct seen {
	pid_t tids[MAX_SEEN];
	unsigned count;
};

static void run_command(const char *const argv[], int messages)
{
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(null, 0);
	dup2(null, 1);
	dup2(messages, 2);
	/* The leak check of a SAN=1 build cannot run in a traced process, and says so with exit 1.
	 */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

/* True at an entry, false at the exit that belongs to it. */
static bool is_entry(struct inside *inside, pid_t tid)
{
	for (size_t i = 0; i < inside->count; i++)
		if (inside->tids[i] == tid) {
			inside->tids[i] = inside->tids[--inside->count];
			return false;
		}
	ck_assert_uint_lt(inside->count, MAX_THREADS);
	inside->tids[inside->count++] = tid;
	return true;
}

/* The threads in the order of their first call. */
static unsigned thread_number(struct seen *seen, pid_t tid)
{
	for (unsigned i = 0; i < seen->count; i++)
		if (seen->tids[i] == tid)
			return i;
	ck_assert_uint_lt(seen->count, MAX_SEEN);
	seen->tids[seen->count] = tid;
	return seen->count++;
}

static const struct vg_killer_call *note(struct vg_killer *killer, struct seen *seen, pid_t tid)
{
	struct user_regs_struct regs = {0};
	struct vg_killer_call *call;

	ptrace(PTRACE_GETREGS, tid, NULL, &regs);
	killer->calls = realloc(killer->calls, (killer->count + 1) * sizeof(*killer->calls));
	call = &killer->calls[killer->count++];
	*call = (struct vg_killer_call){.number = (long)regs.orig_rax,
					.thread = thread_number(seen, tid)};
	return call;
}

/* What a stopped thread is resumed with: its signal, unless the stop is ours. */
static int signal_of(int status)
{
	int signal = WSTOPSIG(status);

	return status >> 16 || signal == SYSCALL_STOP || signal == SIGTRAP || signal == SIGSTOP
		       ? 0
		       : signal;
}

static void follow(pid_t pid, vg_killer_choice *choice, void *context, struct vg_killer *killer)
{
	struct inside inside = {.count = 0};
	struct seen seen = {.count = 0};
	int status;

	for (;;) {
		pid_t tid = waitpid(-1, &status, __WALL);

		ck_assert_msg(tid > 0, "waitpid: %s", strerror(errno));
		if (!WIFSTOPPED(status)) {
			if (tid != pid)
				continue;
			killer->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
			return;
		}
		if (WSTOPSIG(status) == SYSCALL_STOP && !(status >> 16) && is_entry(&inside, tid)) {
			const struct vg_killer_call *call = note(killer, &seen, tid);

			if (choice && choice(context, call, killer->count)) {
				killer->killed = true;
				kill(pid, SIGKILL);
				continue;
			}
		}
		ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(uintptr_t)signal_of(status));
	}
}

static char *read_messages(int fd)
{
	char *text = calloc(1, MAX_MESSAGES);

	ck_assert_ptr_nonnull(text);
	ck_assert_int_ge(pread(fd, text, MAX_MESSAGES - 1, 0), 0);
	return text;
}

void vg_killer_run(const char *const argv[], vg_killer_choice *choice, void *context,
		   struct vg_killer *killer)
{
	int messages = memfd_create("messages", MFD_CLOEXEC);
	int status;
	pid_t pid = fork();

	*killer = (struct vg_killer){0};
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		run_command(argv, messages);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, pid, NULL,
	       (void *)(uintptr_t)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
				   PTRACE_O_EXITKILL));
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	follow(pid, choice, context, killer);
	killer->messages = read_messages(messages);
	close(messages);
}

void vg_killer_clear(struct vg_killer *killer)
{
	free(killer->calls);
	free(killer->messages);
	*killer = (struct vg_killer){0};
}
