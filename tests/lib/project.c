/* SPDX-License-Identifier: MIT */
#include "tests/lib/project.h"

#include <check.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[PATH_MAX];

void vg_project_enter(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/vgraft-test-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_ptr_nonnull(realpath(path, root));
	ck_assert_int_eq(chdir(root), 0);
}

void vg_project_leave(void)
{
	ck_assert_int_eq(chdir("/"), 0);
	vg_project_shell("cd / && rm -rf '%s'", root);
}

const char *vg_project_root(void)
{
	return root;
}

static void make_parents(char *path)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
}

void vg_project_write(const char *path, const char *text)
{
	char full[2 * PATH_MAX];

	snprintf(full, sizeof(full), "%s/%s", root, path);
	make_parents(full);

	FILE *file = fopen(full, "w");

	ck_assert_msg(file, "cannot create %s", full);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

void vg_project_shell(const char *format, ...)
{
	char *command = NULL;
	va_list args;

	va_start(args, format);
	ck_assert_int_ge(vasprintf(&command, format, args), 0);
	va_end(args);

	int status = system(command);

	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "failed: %s", command);
	free(command);
}

int vg_project_output(char **text, const char *format, ...)
{
	char *command = NULL;
	size_t size = 0;
	va_list args;

	va_start(args, format);
	ck_assert_int_ge(vasprintf(&command, format, args), 0);
	va_end(args);

	FILE *pipe = popen(command, "r");
	FILE *out = open_memstream(text, &size);

	ck_assert(pipe && out);
	for (int c; (c = fgetc(pipe)) != EOF;)
		fputc(c, out);
	fclose(out);
	free(command);

	int status = pclose(pipe);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct vg_process *vg_project_start(void)
{
	const char *const argv[] = {"./program", NULL};
	struct vg_process *process;
	struct vg_error *error = vg_process_start(argv, &process);

	ck_assert_msg(!error, "%s", vg_error_text(error));
	return process;
}

void vg_project_expect(struct vg_process *process, const char *question, const char *answer)
{
	size_t from = process->output.length, at;
	struct vg_error *error = vg_process_send(process, question);

	if (!error)
		error = vg_process_wait_text(process, &process->output, from, "\n", &at);
	ck_assert_msg(!error, "%s", vg_error_text(error));
	ck_assert_msg(!strncmp(process->output.text + from, answer, strlen(answer)),
		      "%s: expected %s, got %s", question, answer, process->output.text + from);
}
