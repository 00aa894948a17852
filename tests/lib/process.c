/* SPDX-License-Identifier: MIT */
#include "tests/lib/process.h"

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
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

#define LOOK_MS	    10	 /* how often a condition that no descriptor announces is looked at */
#define SAID_LENGTH 1500 /* how much of the child's last words an error quotes */

enum { READ_END, WRITE_END };

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void close_pipe(int ends[2])
{
	for (int i = 0; i < 2; i++)
		if (ends[i] >= 0)
			close(ends[i]);
}

static void exec_child(const char *const argv[], int pipes[3][2], pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* the parent died before we asked to die with it */
	dup2(pipes[0][READ_END], STDIN_FILENO);
	dup2(pipes[1][WRITE_END], STDOUT_FILENO);
	dup2(pipes[2][WRITE_END], STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* Until the exec, which closes the pipe, the child is a copy of the test. */
static void wait_for_exec(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
}

static struct vg_error *fork_child(const char *const argv[], int pipes[3][2],
				   struct vg_process *process)
{
	pid_t parent = getpid();
	int started[2];

	for (int i = 0; i < 3; i++)
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return vg_error_errno(VG_FAILED, errno, "cannot make a pipe for %s",
					      argv[0]);
	if (pipe2(started, O_CLOEXEC) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot make a pipe for %s", argv[0]);
	process->pid = fork();
	if (process->pid == 0)
		exec_child(argv, pipes, parent);
	close(started[WRITE_END]);
	if (process->pid > 0)
		wait_for_exec(started[READ_END]);
	close(started[READ_END]);
	if (process->pid < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot fork for %s", argv[0]);
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot watch %s", argv[0]);
	return NULL;
}

static struct vg_error *prepare_capture(struct vg_capture *capture, int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	capture->fd = fd;
	capture->text = calloc(1, 1);
	return capture->text ? NULL : vg_error_no_memory();
}

struct vg_error *vg_process_start(const char *const argv[], struct vg_process **out)
{
	_cleanup_process_ struct vg_process *process = calloc(1, sizeof(*process));
	int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};

	if (!process)
		return vg_error_no_memory();
	process->pidfd = process->input = process->output.fd = process->messages.fd = -1;

	struct vg_error *error = fork_child(argv, pipes, process);

	if (error) {
		for (int i = 0; i < 3; i++)
			close_pipe(pipes[i]);
		return error;
	}
	close(pipes[0][READ_END]);
	close(pipes[1][WRITE_END]);
	close(pipes[2][WRITE_END]);
	process->input = pipes[0][WRITE_END];
	signal(SIGPIPE, SIG_IGN);
	VG_TRY(prepare_capture(&process->output, pipes[1][READ_END]));
	VG_TRY(prepare_capture(&process->messages, pipes[2][READ_END]));
	*out = vg_take(process);
	return NULL;
}

static struct vg_error *capture_append(struct vg_capture *capture, const char *data, size_t size)
{
	char *text = realloc(capture->text, capture->length + size + 1);

	if (!text)
		return vg_error_no_memory();
	memcpy(text + capture->length, data, size);
	capture->text = text;
	capture->length += size;
	text[capture->length] = '\0';
	return NULL;
}

/* Takes all that is in the pipe now. */
static struct vg_error *capture_take(struct vg_capture *capture)
{
	char data[16384];
	ssize_t got;

	while (capture->fd >= 0 && (got = read(capture->fd, data, sizeof(data))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return NULL; /* EAGAIN: empty for now */
		VG_TRY(capture_append(capture, data, (size_t)got));
	}
	if (capture->fd >= 0)
		close(capture->fd);
	capture->fd = -1;
	return NULL;
}

static void reap(struct vg_process *process)
{
	if (!process->reaped && waitpid(process->pid, &process->status, WNOHANG) == process->pid)
		process->reaped = true;
}

struct vg_error *vg_process_pump(struct vg_process *process, int milliseconds)
{
	struct pollfd watched[] = {
		{.fd = process->output.fd, .events = POLLIN},
		{.fd = process->messages.fd, .events = POLLIN},
		{.fd = process->reaped ? -1 : process->pidfd, .events = POLLIN},
	};

	if (poll(watched, 3, milliseconds) < 0 && errno != EINTR)
		return vg_error_errno(VG_FAILED, errno, "cannot wait for a process");
	reap(process); /* first: what a dead child said is in the pipe then */
	VG_TRY(capture_take(&process->output));
	return capture_take(&process->messages);
}

static const char *last_words(const struct vg_capture *capture)
{
	size_t skip = capture->length > SAID_LENGTH ? capture->length - SAID_LENGTH : 0;

	return capture->text + skip;
}

static struct vg_error *wait_failed(const struct vg_process *process, const char *what)
{
	return vg_error_new(
		VG_FAILED,
		"%s while waiting for %s; its output ends in:\n%s\nits messages end in:\n%s",
		process->reaped ? "the process ended" : "nothing happened for too long", what,
		last_words(&process->output), last_words(&process->messages));
}

struct vg_error *vg_process_wait(struct vg_process *process, bool (*done)(void *), void *argument,
				 const char *what)
{
	double deadline = seconds_now() + VG_HANG_SECONDS;

	for (;;) {
		bool was_reaped = process->reaped;

		if (done(argument))
			return NULL;
		if (was_reaped || seconds_now() > deadline)
			return wait_failed(process, what);
		VG_TRY(vg_process_pump(process, LOOK_MS));
	}
}

struct text_wait {
	const struct vg_capture *capture;
	size_t from;
	const char *text;
	size_t found;
};

static bool is_text_there(void *argument)
{
	struct text_wait *wait = argument;
	const struct vg_capture *capture = wait->capture;

	if (wait->from > capture->length)
		return false;

	const char *at = memmem(capture->text + wait->from, capture->length - wait->from,
				wait->text, strlen(wait->text));

	if (at)
		wait->found = (size_t)(at - capture->text);
	return at != NULL;
}

struct vg_error *vg_process_wait_text(struct vg_process *process, struct vg_capture *capture,
				      size_t from, const char *text, size_t *found)
{
	struct text_wait wait = {.capture = capture, .from = from, .text = text};

	VG_TRY(vg_process_wait(process, is_text_there, &wait, text));
	if (found)
		*found = wait.found;
	return NULL;
}

static bool has_ended(void *argument)
{
	return ((struct vg_process *)argument)->reaped;
}

struct vg_error *vg_process_wait_end(struct vg_process *process)
{
	return vg_process_wait(process, has_ended, process, "its end");
}

struct vg_error *vg_process_send(struct vg_process *process, const char *text)
{
	size_t length = strlen(text);

	while (length > 0) {
		ssize_t sent = write(process->input, text, length);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return vg_error_errno(VG_FAILED, errno, "cannot send to process %d",
					      (int)process->pid);
		text += sent;
		length -= (size_t)sent;
	}
	return NULL;
}

void vg_process_close_input(struct vg_process *process)
{
	if (process->input >= 0)
		close(process->input);
	process->input = -1;
}

int vg_process_exit_code(const struct vg_process *process)
{
	return WIFSIGNALED(process->status) ? 128 + WTERMSIG(process->status)
					    : WEXITSTATUS(process->status);
}

static void capture_free(struct vg_capture *capture)
{
	if (capture->fd >= 0)
		close(capture->fd);
	free(capture->text);
}

/* What a patched process leaves for perf when it ends. */
static void remove_perf_map(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	if (pid > 0)
		unlink(path);
}

void vg_process_free(struct vg_process *process)
{
	if (!process)
		return;
	remove_perf_map(process->pid);
	if (process->pid > 0 && !process->reaped) {
		kill(process->pid, SIGKILL);
		waitpid(process->pid, NULL, 0);
	}
	if (process->pidfd >= 0)
		close(process->pidfd);
	vg_process_close_input(process);
	capture_free(&process->output);
	capture_free(&process->messages);
	free(process);
}

/* Unlike a wait, a command may take as long as it goes on: it has an end of its own. */
struct vg_error *vg_process_run(const char *const argv[], int *code, struct vg_process **out)
{
	_cleanup_process_ struct vg_process *process = NULL;

	VG_TRY(vg_process_start(argv, &process));
	vg_process_close_input(process);
	while (!process->reaped)
		VG_TRY(vg_process_pump(process, 1000));
	*code = vg_process_exit_code(process);
	if (out)
		*out = vg_take(process);
	return NULL;
}

struct vg_error *vg_process_must_run(const char *const argv[])
{
	_cleanup_process_ struct vg_process *process = NULL;
	int code;

	VG_TRY(vg_process_run(argv, &code, &process));
	if (code != 0)
		return vg_error_new(VG_FAILED, "%s exited with %d:\n%s%s", argv[0], code,
				    last_words(&process->output), last_words(&process->messages));
	return NULL;
}
