/* SPDX-License-Identifier: MIT */
#include "tests/lib/units_project.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/project.h"

#define HEADER                                                                                     \
	"#ifndef DEV_H\n#define DEV_H\n#define LIMIT 16\n"                                         \
	"static inline int clamp(int x) { return x > LIMIT ? LIMIT : x; }\n#endif\n"
#define MAIN                                                                                       \
	"#include <assert.h>\n#include <stdio.h>\n#include \"dev.h\"\n\nint first(int x)\n{\n"     \
	"\treturn clamp(x) + 1;\n}\n\nint second(int x)\n{\n\tassert(x != 3);\n"                   \
	"\tprintf(\"%s:%d\\n\", __FILE__, __LINE__);\n\treturn x * 2;\n}\n"
#define OTHER "#include \"dev.h\"\nint third(int x)\n{\n\treturn clamp(x);\n}\n"
#define APART "int fourth(int x)\n{\n\treturn x + 4;\n}\n"

struct vg_units_tested vg_tested = {.source = "tree"};

static void explain(void *context, const char *line)
{
	size_t used = strlen(vg_tested.explained);

	(void)context;
	snprintf(vg_tested.explained + used, sizeof(vg_tested.explained) - used, "%s\n", line);
}

struct vg_error *vg_units_try(const char *diff)
{
	struct vg_build_request request = {
		.source = vg_tested.source,
		.diffs = &diff,
		.diff_count = 1,
		.target = vg_tested.target,
		.compdbs = &vg_tested.compdb,
		.compdb_count = vg_tested.compdb ? 1 : 0,
		.own_build_directory = vg_tested.own_build_directory,
		.explain = explain,
	};

	vg_units_clear(&vg_tested.units, false);
	vg_tested.explained[0] = '\0';
	return vg_units_compile(&request, &vg_tested.units);
}

void vg_units_must_compile(const char *diff)
{
	struct vg_error *error = vg_units_try(diff);

	ck_assert_msg(!error, "%s", vg_error_text(error));
}

void vg_units_must_fail(const char *diff, enum vg_code code, const char *words)
{
	struct vg_error *error = vg_units_try(diff);

	ck_assert_msg(vg_error_code(error) == code, "%s", vg_error_text(error));
	ck_assert_msg(strstr(vg_error_text(error), words), "%s", vg_error_text(error));
	vg_error_free(error);
	ck_assert_uint_eq(vg_tested.units.count, 0);
	ck_assert_ptr_null(vg_tested.units.directory);
	/* nothing is left in TMPDIR */
	vg_project_shell("test -z \"$(ls \"$TMPDIR\")\"");
}

/* The files of the vg_tested.units, in their order, with a blank behind each. */
const char *vg_units_files(void)
{
	static char text[4096];

	text[0] = '\0';
	for (size_t i = 0; i < vg_tested.units.count; i++)
		strcat(strcat(text, vg_tested.units.units[i].file), " ");
	return text;
}

bool vg_units_has_note(const char *words)
{
	for (size_t i = 0; i < vg_tested.units.note_count; i++)
		if (strstr(vg_tested.units.notes[i], words))
			return true;
	return false;
}

/* Writes fix.diff: what the shell command does to a copy of the tree. */
void vg_units_make_diff(const char *command)
{
	vg_project_shell("rm -rf copy && cp -a tree copy && cd copy && git init -q . && "
			 "git add -Af . && git -c user.name=x -c user.email=x@y commit -qm x && "
			 "{ %s; } && git add -Af . && git diff --cached -M > ../fix.diff && "
			 "test -s ../fix.diff && rm -rf ../copy",
			 command);
}

/* A compdb whose entries all run `flags` in `directory`. */
void vg_units_write_compdb(const char *path, const char *directory, const char *compiler,
			   const char *const sources[])
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out, "[");
	for (size_t i = 0; sources[i]; i++)
		fprintf(out,
			"%s{\"directory\": \"%s/%s\", \"file\": \"%s\", "
			"\"command\": \"%s -c -o obj/%zu.o %s\"}",
			i ? "," : "", vg_project_root(), directory, sources[i], compiler, i,
			sources[i]);
	fprintf(out, "]\n");
	fclose(out);
	vg_project_write(path, text);
}

void vg_units_enter(void)
{
	static const char *const sources[] = {"src/main.c", "src/other.c", "src/apart.c", NULL};

	vg_project_enter();
	vg_project_write("tree/include/dev.h", HEADER);
	vg_project_write("tree/src/main.c", MAIN);
	vg_project_shell("mkdir tree/obj tmp");
	vg_project_write("tree/src/other.c", OTHER);
	vg_project_write("tree/src/apart.c", APART);
	vg_units_write_compdb("tree/compile_commands.json", "tree", "gcc -O2 -g -Iinclude",
			      sources);

	_cleanup_free_ char *temp = NULL;

	ck_assert_int_ge(asprintf(&temp, "%s/tmp", vg_project_root()), 0);
	setenv("TMPDIR", temp, 1);
}

void vg_units_leave(void)
{
	vg_units_clear(&vg_tested.units, false);
	vg_project_shell("test -z \"$(ls \"$TMPDIR\")\"");
	vg_project_leave();
}

/* The code of one function of an object as hex, from its own section. */
char *vg_units_code_of(const char *object, const char *function)
{
	char *text = NULL;

	vg_project_output(&text, "objdump -drw -j .text.%s '%s' | tail -n +4", function, object);
	ck_assert_msg(text[0], "%s has no %s", object, function);
	return text;
}

void vg_units_assert_same_code(const char *function, bool same)
{
	_cleanup_free_ char *pre = vg_units_code_of(vg_tested.units.units[0].pre_object, function);
	_cleanup_free_ char *post =
		vg_units_code_of(vg_tested.units.units[0].post_object, function);

	ck_assert_msg(!strcmp(pre, post) == same, "%s:\n%s\n%s", function, pre, post);
}
