/* SPDX-License-Identifier: MIT */
#include "tests/corpus/live.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/corpus/run.h"

static _Noreturn void become(const char *executable, const char *directory, int in, int out)
{
	char *const arguments[] = {(char *)executable, NULL};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* vgraft is no ancestor of it (Yama) */
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	if (chdir(directory) == 0)
		execv(executable, arguments);
	_exit(127);
}

struct vg_error *live_start(struct live *live, const char *executable, const char *directory)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		return vg_error_errno(VG_FAILED, errno, "cannot make pipes");
	live->pid = fork();
	if (live->pid == 0)
		become(executable, directory, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	live->in = in[1];
	live->out = out[0];
	if (live->pid < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot start %s", executable);
	return NULL;
}

/* One byte at a time: an answer is a few bytes, and nothing behind it must be lost. */
static struct vg_error *read_line(const struct live *live, char *line, size_t room)
{
	struct pollfd ready = {.fd = live->out, .events = POLLIN};
	size_t length = 0;

	for (;;) {
		if (poll(&ready, 1, RUN_HANG_SECONDS * 1000) <= 0)
			return vg_error_new(VG_FAILED, "no answer in %d seconds", RUN_HANG_SECONDS);
		if (length + 1 == room || read(live->out, line + length, 1) != 1)
			return vg_error_new(VG_FAILED, "no answer: the program has ended");
		if (line[length] == '\n')
			break;
		length++;
	}
	line[length] = '\0';
	return NULL;
}

static struct vg_error *ask_one(const struct live *live, const struct probe *probe)
{
	char answer[512];

	if (dprintf(live->in, "%s\n", probe->question) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot ask '%s'", probe->question);
	struct vg_error *error = read_line(live, answer, sizeof(answer));
	if (error)
		return vg_error_prefix(error, "asked '%s'", probe->question);
	if (strcmp(answer, probe->answer) != 0)
		return vg_error_new(VG_FAILED, "asked '%s', expected '%s', got '%s'",
				    probe->question, probe->answer, answer);
	return NULL;
}

struct vg_error *live_ask(struct live *live, const struct probes *probes, const char *when)
{
	for (size_t i = 0; i < probes->count; i++) {
		struct vg_error *error = ask_one(live, &probes->at[i]);

		if (error)
			return vg_error_prefix(error, "%s", when);
	}
	return NULL;
}

/* What a patched process leaves for perf goes with it. */
static void forget(struct live *live)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", live->pid);
	unlink(path);
	close(live->in);
	close(live->out);
	live->pid = 0;
}

void live_kill(struct live *live)
{
	if (live->pid <= 0)
		return;
	kill(live->pid, SIGKILL);
	waitpid(live->pid, NULL, 0);
	forget(live);
}

struct vg_error *live_end(struct live *live, int code)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, live->pid, 0);
	struct pollfd ready = {.fd = pidfd, .events = POLLIN};
	int status;

	close(live->in);
	live->in = -1;
	if (poll(&ready, 1, RUN_HANG_SECONDS * 1000) <= 0)
		return vg_error_new(VG_FAILED, "the program does not end at end of input");
	waitpid(live->pid, &status, 0);
	forget(live);
	if (WIFSIGNALED(status))
		return vg_error_new(VG_FAILED, "the program was ended by signal %d (%s)",
				    WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) != code)
		return vg_error_new(VG_FAILED, "the program exited with %d, expected %d",
				    WEXITSTATUS(status), code);
	return NULL;
}
