/* SPDX-License-Identifier: MIT */
#include "tests/corpus/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/text_file.h"

void arguments_add(struct arguments *arguments, const char *word)
{
	if (arguments->count == RUN_MAX_ARGUMENTS)
		abort(); /* a program of the corpus is never that large */
	arguments->words[arguments->count++] = strdup(word);
}

void arguments_addf(struct arguments *arguments, const char *format, ...)
{
	_cleanup_free_ char *word = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&word, format, args) < 0)
		abort();
	va_end(args);
	arguments_add(arguments, word);
}

void arguments_split(struct arguments *arguments, const char *text)
{
	_cleanup_free_ char *copy = strdup(text ? text : "");
	char *rest = copy;

	for (char *word; (word = strsep(&rest, " \t"));)
		if (*word)
			arguments_add(arguments, word);
}

void arguments_clear(struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->count; i++)
		free(arguments->words[i]);
	*arguments = (struct arguments){0};
}

void run_clear(struct run *run)
{
	free(run->out);
	free(run->err);
	*run = (struct run){0};
}

static _Noreturn void become(const struct arguments *arguments, const char *directory, int out,
			     int err)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (chdir(directory) == 0)
		execvp(arguments->words[0], arguments->words);
	dprintf(err, "%s: %s\n", arguments->words[0], strerror(errno));
	_exit(127);
}

static int wait_for(pid_t pid, int *status)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ready = {.fd = pidfd, .events = POLLIN};
	int count;

	do
		count = poll(&ready, 1, RUN_HANG_SECONDS * 1000);
	while (count < 0 && errno == EINTR);
	if (count <= 0)
		kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return count > 0;
}

static struct vg_error *read_back(int fd, char **text)
{
	lseek(fd, 0, SEEK_SET);
	return vg_text_file_read_fd(fd, "the output of a command", text, NULL);
}

struct vg_error *run_command(const struct arguments *arguments, const char *directory,
			     struct run *run)
{
	_cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
	_cleanup_close_ int err = memfd_create("err", MFD_CLOEXEC);
	int status;
	pid_t pid = out < 0 || err < 0 ? -1 : fork();

	if (pid < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot start %s", arguments->words[0]);
	if (pid == 0)
		become(arguments, directory, out, err);
	if (!wait_for(pid, &status))
		return vg_error_new(VG_FAILED, "%s %s hung for %d seconds", arguments->words[0],
				    arguments->count > 1 ? arguments->words[1] : "",
				    RUN_HANG_SECONDS);
	run->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	VG_TRY(read_back(out, &run->out));
	return read_back(err, &run->err);
}
