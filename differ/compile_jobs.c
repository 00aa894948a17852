/* SPDX-License-Identifier: MIT */
#include "differ/compile_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

#define MAX_PARALLEL 64

struct pool {
	struct vg_job *jobs;
	size_t count, started;
	size_t width;
	const char *temp;
	/* slot i: a running child; polls[i] is its pidfd. The last poll is the signals'. */
	struct pollfd polls[MAX_PARALLEL + 1];
	pid_t pids[MAX_PARALLEL];
	struct vg_job *running[MAX_PARALLEL];
	size_t used;
};

static void set_of_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

void vg_jobs_block_signals(void *saved)
{
	sigset_t set;

	set_of_signals(&set);
	pthread_sigmask(SIG_BLOCK, &set, saved);
}

void vg_jobs_restore_signals(void *saved)
{
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

/* What would write beside the sources, hide a compilation, or make its output differ. */
static bool is_left_out(const char *variable)
{
	static const char *const names[] = {
		"DEPENDENCIES_OUTPUT=",
		"SUNPRO_DEPENDENCIES=",
		"PWD=",
		"OLDPWD=",
		"TMPDIR=",
		"LC_ALL=",
		"LANGUAGE=",
		"CCACHE_DISABLE=",
		"GCC_COLORS=",
		"MAKEFLAGS=",
		"MFLAGS=",
		NULL,
	};

	for (size_t i = 0; names[i]; i++)
		if (vg_starts_with(variable, names[i]))
			return true;
	return false;
}

static struct vg_error *environment(const struct vg_job *job, const char *temp,
				    struct vg_words *words)
{
	for (char **variable = environ; *variable; variable++)
		if (!is_left_out(*variable))
			vg_words_add(words, *variable);
	vg_words_format(words, "PWD=%s", job->directory);
	vg_words_format(words, "TMPDIR=%s", temp);
	vg_words_add(words, "LC_ALL=C");
	vg_words_add(words, "CCACHE_DISABLE=1");
	if (!getenv("SOURCE_DATE_EPOCH")) /* __DATE__ and __TIME__ alike in pre and post */
		vg_words_add(words, "SOURCE_DATE_EPOCH=0");
	return vg_words_check(words);
}

static int set_up(const struct vg_job *job, posix_spawn_file_actions_t *actions,
		  posix_spawnattr_t *attributes)
{
	sigset_t none, defaults;

	sigemptyset(&none);
	set_of_signals(&defaults);
	sigaddset(&defaults, SIGPIPE);
	return posix_spawnattr_setflags(attributes,
					POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) |
	       posix_spawnattr_setsigmask(attributes, &none) |
	       posix_spawnattr_setsigdefault(attributes, &defaults) |
	       posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0) |
	       posix_spawn_file_actions_addopen(actions, 1, job->log,
						O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600) |
	       posix_spawn_file_actions_adddup2(actions, 1, 2) |
	       posix_spawn_file_actions_addchdir_np(actions, job->directory);
}

static struct vg_error *spawn(const struct vg_job *job, char **variables, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int failed = posix_spawn_file_actions_init(&actions) | posix_spawnattr_init(&attributes);

	if (!failed && set_up(job, &actions, &attributes))
		failed = ENOMEM;
	if (!failed)
		failed = posix_spawnp(pid, job->command.items[0], &actions, &attributes,
				      job->command.items, variables);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (failed)
		return vg_error_errno(VG_FAILED, failed,
				      "cannot run the compiler %s (in %s) that the compile "
				      "command names",
				      job->command.items[0], job->directory);
	return NULL;
}

static struct vg_error *start_one(struct pool *pool)
{
	struct vg_job *job = &pool->jobs[pool->started++];
	struct vg_words variables = {0};
	pid_t pid = -1;
	struct vg_error *error = environment(job, pool->temp, &variables);

	if (!error)
		error = spawn(job, variables.items, &pid);
	vg_words_clear(&variables);
	if (error)
		return error;
	pool->pids[pool->used] = pid;
	pool->running[pool->used] = job;
	pool->polls[pool->used] =
		(struct pollfd){.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	pool->used++;
	return NULL;
}

static void reap(struct pool *pool, size_t slot)
{
	while (waitpid(pool->pids[slot], &pool->running[slot]->status, 0) < 0 && errno == EINTR)
		;
	if (pool->polls[slot].fd >= 0)
		close(pool->polls[slot].fd);
	pool->used--;
	pool->pids[slot] = pool->pids[pool->used];
	pool->running[slot] = pool->running[pool->used];
	pool->polls[slot] = pool->polls[pool->used];
}

/* A driver that dies by SIGTERM takes its own children and temporary files with it. */
static void stop_all(struct pool *pool)
{
	for (size_t i = 0; i < pool->used; i++)
		kill(pool->pids[i], SIGTERM);
	while (pool->used)
		reap(pool, 0);
}

static struct vg_error *wait_some(struct pool *pool, int signals)
{
	pool->polls[pool->used] = (struct pollfd){.fd = signals, .events = POLLIN};
	for (size_t i = 0; i < pool->used; i++) {
		if (pool->polls[i].fd < 0) { /* no pidfd: wait for this one alone */
			reap(pool, i);
			return NULL;
		}
	}
	if (poll(pool->polls, pool->used + 1, -1) < 0)
		return errno == EINTR
			       ? NULL
			       : vg_error_errno(VG_FAILED, errno, "cannot wait for the compilers");
	if (pool->polls[pool->used].revents)
		return vg_error_new(VG_FAILED, "interrupted while compiling; nothing was changed");
	for (size_t i = pool->used; i-- > 0;)
		if (pool->polls[i].revents)
			reap(pool, i);
	return NULL;
}

static size_t width_of(size_t count)
{
	cpu_set_t set;
	size_t width = 2;

	if (!sched_getaffinity(0, sizeof(set), &set))
		width = CPU_COUNT(&set);
	if (width > MAX_PARALLEL)
		width = MAX_PARALLEL;
	return width < count ? width : count;
}

struct vg_error *vg_jobs_run(struct vg_job *jobs, size_t count, const char *temp)
{
	struct pool pool = {.jobs = jobs, .count = count, .width = width_of(count), .temp = temp};
	struct vg_error *error = NULL;
	sigset_t set, saved;

	set_of_signals(&set);
	vg_jobs_block_signals(&saved);

	_cleanup_close_ int signals = signalfd(-1, &set, SFD_CLOEXEC);

	while (!error && (pool.started < count || pool.used)) {
		if (pool.started < count && pool.used < pool.width)
			error = start_one(&pool);
		else
			error = wait_some(&pool, signals);
	}
	stop_all(&pool);
	vg_jobs_restore_signals(&saved);
	return error;
}

void vg_job_clear(struct vg_job *job)
{
	vg_words_clear(&job->command);
	free(job->directory);
	free(job->log);
}

bool vg_job_succeeded(const struct vg_job *job)
{
	return WIFEXITED(job->status) && !WEXITSTATUS(job->status);
}
