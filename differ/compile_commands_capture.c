/* SPDX-License-Identifier: MIT */
/*
 * Capturing compile commands: bear(1) runs the user's own build and records the compilers that it
 * starts. The build writes where it always does; all it prints goes to stderr, because stdout
 * belongs to vgraft's own output.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/capture.h"
#include "differ/compile_words.h"

#define BEAR "bear"

static struct vg_error *spawn(char **words, const char *directory, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int failed = posix_spawn_file_actions_init(&actions);

	if (failed)
		return vg_error_no_memory();
	failed = posix_spawn_file_actions_adddup2(&actions, 2, 1);
	if (!failed && directory)
		failed = posix_spawn_file_actions_addchdir_np(&actions, directory);
	if (!failed)
		failed = posix_spawnp(pid, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failed == ENOENT && (!directory || !access(directory, X_OK)))
		return vg_error_new(VG_FAILED, "cannot capture the build: " BEAR
					       " is not installed (Debian package bear)");
	if (failed)
		return vg_error_errno(VG_FAILED, failed, "cannot run " BEAR " in %s",
				      directory ?: ".");
	return NULL;
}

static struct vg_error *run(char **words, const char *directory, const char *command)
{
	int status = 0;
	pid_t pid;

	VG_TRY(spawn(words, directory, &pid));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		return vg_error_new(VG_FAILED, "the build command %s was ended by signal %d (%s)",
				    command, WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return vg_error_new(VG_FAILED,
				    "the build command %s failed with exit status %d; see its "
				    "output above",
				    command, WEXITSTATUS(status));
	return NULL;
}

/* An up-to-date build starts no compiler: nothing to learn from. */
static struct vg_error *check_captured(const char *path, const char *command)
{
	json_t *root = json_load_file(path, 0, NULL);
	size_t count = json_array_size(root);

	json_decref(root);
	if (count)
		return NULL;
	return vg_error_new(VG_USAGE,
			    "the build command %s compiled nothing, so that there are no compile "
			    "commands to capture; clean the build first",
			    command);
}

static struct vg_error *capture(char *const *argv, const char *directory, const char *path)
{
	struct vg_words words = {0};

	vg_words_add(&words, BEAR);
	vg_words_add(&words, "--output");
	vg_words_add(&words, path);
	vg_words_add(&words, "--");
	for (size_t i = 0; argv[i]; i++)
		vg_words_add(&words, argv[i]);

	struct vg_error *error = vg_words_check(&words);

	if (!error)
		error = run(words.items, directory, argv[0]);
	if (!error)
		error = check_captured(path, argv[0]);
	vg_words_clear(&words);
	return error;
}

struct vg_error *vg_compdb_capture(char *const *argv, const char *directory, char **path)
{
	_cleanup_free_ char *folder = realpath(getenv("TMPDIR") ?: "/tmp", NULL);
	char *file = folder ? vg_format("%s/vgraft-compdb-XXXXXX", folder) : NULL;
	int fd = file ? mkstemp(file) : -1;
	struct vg_error *error;

	if (fd < 0) {
		free(file);
		return vg_error_errno(VG_FAILED, errno,
				      "cannot create a file for the compile commands");
	}
	close(fd);
	error = capture(argv, directory, file);
	if (error)
		vg_compdb_capture_remove(file);
	else
		*path = file;
	return error;
}

void vg_compdb_capture_remove(char *path)
{
	if (!path)
		return;
	unlink(path);
	free(path);
}
