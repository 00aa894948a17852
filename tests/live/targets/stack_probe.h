/* SPDX-License-Identifier: MIT */
/* What the stack check's live tests share: start a target, stop its threads, ask for verdicts. */
#ifndef TESTS_LIVE_TARGETS_STACK_PROBE_H
#define TESTS_LIVE_TARGETS_STACK_PROBE_H

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patcher/stack_check.h"
#include "patcher/stack_memory.h"
#include "tests/lib/suite.h"

#define HANG_LIMIT_MS 60000

struct probe {
	pid_t pid;
	int output;
	struct vg_memory memory;
	struct vg_stacks *stacks;
	struct vg_code_range range;
	pid_t tids[64];
	size_t tid_count;
	enum vg_verdict verdict;
	struct vg_blocker blocker;
	char *why;
	unsigned coroutines;
};

static inline void probe_ok(struct vg_error *error)
{
	ck_assert_msg(!error, "%s", vg_error_text(error));
}

/* Beside the test program; a test process may choose the other one. */
static const char *probe_program = "stack_target";

static inline char *probe_target_path(void)
{
	static char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);

	ck_assert_int_gt(length, 0);
	path[length] = '\0';
	sprintf(strrchr(path, '/'), "/targets/%s", probe_program);
	return path;
}

static inline void probe_exec(const char *mode, int output)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(output, STDOUT_FILENO);
	execl(probe_target_path(), "stack_target", mode, NULL);
	_exit(127);
}

static inline void probe_read_ready(struct probe *probe)
{
	char line[256];
	size_t length = 0;
	struct pollfd wait = {.fd = probe->output, .events = POLLIN};

	do {
		ck_assert_int_eq(poll(&wait, 1, HANG_LIMIT_MS), 1);
		ck_assert_int_eq(read(probe->output, line + length, 1), 1);
	} while (line[length++] != '\n' && length < sizeof(line));
	ck_assert_int_eq(sscanf(line, "ready %lx %lx", &probe->range.start, &probe->range.end), 2);
	probe->range.function = "changed";
	probe->range.is_entry = true;
}

static inline void probe_list(struct probe *probe)
{
	char path[64];
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", probe->pid);
	DIR *tasks = opendir(path);
	ck_assert_ptr_nonnull(tasks);
	probe->tid_count = 0;
	while ((entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			probe->tids[probe->tid_count++] = atoi(entry->d_name);
	closedir(tasks);
}

/* Leaves the target running, prepared for the check. */
static inline void probe_start(struct probe *probe, const char *mode)
{
	int pipes[2];

	*probe = (struct probe){0};
	ck_assert_int_eq(pipe(pipes), 0);
	probe->pid = fork();
	ck_assert_int_ge(probe->pid, 0);
	if (!probe->pid)
		probe_exec(mode, pipes[1]);
	close(pipes[1]);
	probe->output = pipes[0];
	probe_read_ready(probe);
	probe_ok(vg_memory_open(probe->pid, &probe->memory));
	probe_ok(vg_stacks_open(probe->pid, &probe->memory, &probe->stacks));
	probe_ok(vg_stacks_prepare(probe->stacks, NULL, 0));
}

static inline void probe_stop_thread(pid_t tid)
{
	int status;

	ck_assert_int_eq(ptrace(PTRACE_SEIZE, tid, 0, 0), 0);
	ck_assert_int_eq(ptrace(PTRACE_INTERRUPT, tid, 0, 0), 0);
	ck_assert_int_eq(waitpid(tid, &status, __WALL), tid);
	ck_assert(WIFSTOPPED(status));
}

static inline char probe_thread_state(pid_t tid)
{
	char path[64], line[512] = "";
	const char *behind_name;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	FILE *file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
	fclose(file);
	behind_name = strrchr(line, ')');
	ck_assert_ptr_nonnull(behind_name);
	return behind_name[2];
}

/* It has said that it is ready, and is about to sleep: no event tells when it does. */
static inline void probe_await_sleep(pid_t tid)
{
	for (int i = 0; probe_thread_state(tid) != 'S'; i++) {
		ck_assert_int_lt(i, HANG_LIMIT_MS);
		poll(NULL, 0, 1);
	}
}

static inline void probe_stop(struct probe *probe)
{
	probe_list(probe);
	for (size_t i = 0; i < probe->tid_count; i++) {
		probe_await_sleep(probe->tids[i]);
		probe_stop_thread(probe->tids[i]);
	}
}

static inline void probe_forget(struct probe *probe)
{
	for (size_t i = 0; i < probe->blocker.backtrace_count; i++)
		free(probe->blocker.backtrace[i]);
	free(probe->blocker.backtrace);
	free(probe->blocker.name);
	free(probe->blocker.function);
	free(probe->why);
	probe->blocker = (struct vg_blocker){0};
	probe->why = NULL;
}

static inline struct user_regs_struct probe_registers(pid_t tid)
{
	struct user_regs_struct regs;

	ck_assert_int_eq(ptrace(PTRACE_GETREGS, tid, 0, &regs), 0);
	return regs;
}

/* Stops at the first thread that is unsafe, as the patcher does. */
static inline void probe_threads(struct probe *probe)
{
	probe->verdict = VG_SAFE;
	for (size_t i = 0; i < probe->tid_count && probe->verdict == VG_SAFE; i++) {
		struct user_regs_struct regs = probe_registers(probe->tids[i]);

		probe_forget(probe);
		probe_ok(vg_stacks_check_thread(probe->stacks, probe->tids[i], &regs, &probe->range,
						1, &probe->verdict, &probe->blocker, &probe->why));
	}
}

static inline void probe_coroutines(struct probe *probe)
{
	probe_forget(probe);
	probe_ok(vg_stacks_check_coroutines(probe->stacks, &probe->range, 1, &probe->verdict,
					    &probe->blocker, &probe->why, &probe->coroutines));
}

static inline void probe_print(const struct probe *probe)
{
	printf("%s tid %d coroutine %#lx name %s function %s why %s\n",
	       probe->verdict == VG_SAFE ? "SAFE" : "UNSAFE", probe->blocker.tid,
	       probe->blocker.coroutine, probe->blocker.name, probe->blocker.function, probe->why);
	for (size_t i = 0; i < probe->blocker.backtrace_count; i++)
		printf("  %s\n", probe->blocker.backtrace[i]);
}

static inline void probe_resume(struct probe *probe)
{
	for (size_t i = 0; i < probe->tid_count; i++)
		ptrace(PTRACE_DETACH, probe->tids[i], 0, 0);
}

static inline void probe_end(struct probe *probe)
{
	kill(probe->pid, SIGKILL);
	probe_forget(probe);
	vg_stacks_close(probe->stacks);
	vg_memory_close(&probe->memory);
	close(probe->output);
	/* Traced threads are waited for one by one; the leader comes last. */
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
}

/* Words in the live stack of a stopped thread that look like return addresses into the range. */
static inline size_t probe_stack_hits(const struct probe *probe, pid_t tid)
{
	struct user_regs_struct regs = probe_registers(tid);
	uint64_t word;
	size_t hits = 0;

	for (uint64_t at = regs.rsp; stack_read(&probe->memory, at, &word, 8); at += 8)
		hits += word > probe->range.start && word <= probe->range.end;
	return hits;
}

/* A whole check: start, stop, ask about all threads. The caller ends it with probe_end(). */
static inline void probe_run(struct probe *probe, const char *mode)
{
	probe_start(probe, mode);
	probe_stop(probe);
	probe_threads(probe);
	if (getenv("VGRAFT_TEST_VERBOSE"))
		probe_print(probe);
}

#endif
