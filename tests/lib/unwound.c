/* SPDX-License-Identifier: MIT */
#include "tests/lib/unwound.h"

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/lib/guest.h"
#include "tests/lib/project.h"

static char home[PATH_MAX], vgraft[PATH_MAX + 16];

void vg_unwound_find(void)
{
	char build[PATH_MAX];

	if (!getcwd(home, sizeof(home)) || !realpath(vg_build_folder(), build))
		abort();
	snprintf(vgraft, sizeof(vgraft), "%s/vgraft", build);
}

const char *vg_unwound_vgraft(void)
{
	return vgraft;
}

#define COMMAND "{\"directory\": \"%s\", \"file\": \"%s.c\", \"command\": \"gcc -O2 -g -c %s.c\"}"

static void build(const char *name, const char *diff, const char *options)
{
	vg_project_shell("%s build --source . --diff %s.diff --target program --name %s "
			 "%s -o %s.vgp 2>said || { cat said; exit 1; }",
			 vgraft, diff, name, options, name);
}

void vg_unwound_set_up(void)
{
	_cleanup_free_ char *commands = NULL;
	const char *root;

	vg_project_enter();
	root = vg_project_root();
	ck_assert_int_gt(asprintf(&commands, "[" COMMAND ",\n" COMMAND "]\n", root, "outer",
				  "outer", root, "inner", "inner"),
			 0);
	vg_project_write("compile_commands.json", commands);
	vg_project_shell("cp %s/tests/live/unwound/* . && gcc -O2 -g -c outer.c inner.c && "
			 "g++ -O2 -g -c main.cc && "
			 "g++ -Wl,--build-id -o program main.o outer.o inner.o -lpthread",
			 home);
	build("outer", "outer", "");
	build("inner", "inner", "");
	build("all", "outer", "--replace");
}

struct vg_process *vg_unwound_start(void)
{
	const char *const argv[] = {"./program", NULL};
	struct vg_process *process;
	struct vg_error *error = vg_process_start(argv, &process);

	if (!error)
		error = vg_process_wait_text(process, &process->output, 0, "ready\n", NULL);
	ck_assert_msg(!error, "%s", vg_error_text(error));
	return process;
}

void vg_unwound_expect(struct vg_process *process, char letter, const char *key, int value)
{
	size_t from = process->output.length, at = from, end;
	char text[2] = {letter, '\0'}, wanted[64];
	struct vg_error *error = vg_process_send(process, text);

	snprintf(wanted, sizeof(wanted), "%s %d", key, value);
	if (!error)
		error = vg_process_wait_text(process, &process->output, from, key, &at);
	if (!error)
		error = vg_process_wait_text(process, &process->output, at, "\n", &end);
	ck_assert_msg(!error, "%c: %s", letter, vg_error_text(error));
	ck_assert_msg(!strncmp(process->output.text + at, wanted, strlen(wanted)),
		      "%c: expected %s, got %s", letter, wanted, process->output.text + at);
}

void vg_unwound_vgraft_says(const struct vg_process *process, const char *verb, const char *says)
{
	_cleanup_free_ char *text = NULL;

	vg_project_output(&text, "%s %s --pid %d --json 2>/dev/null", vgraft, verb, process->pid);
	ck_assert_msg(strstr(text, says), "%s: %s", verb, text);
}
