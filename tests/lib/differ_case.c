/* SPDX-License-Identifier: MIT */
#include "tests/lib/differ_case.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "differ/build.h"

__attribute__((format(printf, 2, 3))) static char *run(struct differ_case *test, const char *format,
						       ...)
{
	char command[2048], line[4096];
	char *output = NULL;
	size_t size = 0;
	va_list args;
	int used = snprintf(command, sizeof(command), "cd %s && { ", test->directory);

	va_start(args, format);
	used += vsnprintf(command + used, sizeof(command) - (size_t)used, format, args);
	va_end(args);
	snprintf(command + used, sizeof(command) - (size_t)used, " ; }");

	FILE *pipe = popen(command, "r");
	FILE *memory = open_memstream(&output, &size);

	ck_assert_ptr_nonnull(pipe);
	while (fgets(line, sizeof(line), pipe))
		fputs(line, memory);
	fclose(memory);

	int status = pclose(pipe);

	ck_assert_msg(!status, "%s: status %d, output: %s", command, status, output);
	return output;
}

static void write_source(struct differ_case *test, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", test->directory, name);

	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

#define SECTIONS "-ffunction-sections -fdata-sections"

static void compile_unit(struct differ_case *test, const char *name, const char *pre,
			 const char *post)
{
	const char *cc = test->compiler, *flags = test->flags;

	write_source(test, "unit.c", pre);
	free(run(test, "mv unit.c %s.c && %s %s -c %s.c -o %s.plain.o", name, cc, flags, name,
		 name));
	free(run(test, "%s %s " SECTIONS " -c %s.c -o %s.pre.o", cc, flags, name, name));
	write_source(test, "unit.c", post);
	free(run(test, "mv unit.c %s.c && %s %s " SECTIONS " -c %s.c -o %s.post.o", name, cc, flags,
		 name, name));
}

/* The target was built from something else than the unit that the differ sees. */
static void compile_target_otherwise(struct differ_case *test)
{
	write_source(test, "unit.c", test->target ?: test->pre);
	free(run(test,
		 "mkdir t && mv unit.c t/main.c && cd t && %s %s -c main.c -o ../main.target.o",
		 test->target_compiler ?: test->compiler, test->flags));
}

static struct vg_unit unit_of(struct differ_case *test, const char *name)
{
	struct vg_unit unit = {.compiler = (char *)"GNU C17"};

	if (asprintf(&unit.file, "%s.c", name) < 0 ||
	    asprintf(&unit.pre_object, "%s/%s.pre.o", test->directory, name) < 0 ||
	    asprintf(&unit.post_object, "%s/%s.post.o", test->directory, name) < 0 ||
	    asprintf(&unit.pre_object_plain, "%s/%s.plain.o", test->directory, name) < 0)
		ck_abort_msg("out of memory");
	return unit;
}

static void free_unit(struct vg_unit *unit)
{
	free(unit->file);
	free(unit->pre_object);
	free(unit->post_object);
	free(unit->pre_object_plain);
}

static void print_line(void *context, const char *line)
{
	(void)context;
	printf("  %s\n", line);
}

void differ_case_build(struct differ_case *test)
{
	char target_path[128], output[128];
	struct vg_unit units[2] = {unit_of(test, "main"), unit_of(test, "other")};
	struct vg_units all = {.units = units, .count = test->pre2 ? 2 : 1};
	struct vg_arena arena = {0};
	struct vg_target *target = NULL;

	snprintf(target_path, sizeof(target_path), "%s/target", test->directory);
	snprintf(output, sizeof(output), "%s/out.vgp", test->directory);

	struct vg_build_request request = {
		.target = target_path,
		.name = "case",
		.output = output,
		.allow = &test->allow,
		.allow_count = test->allow ? 1 : 0,
		.explain = test->explain ? print_line : NULL,
	};

	test->error = vg_target_open(&arena, target_path, NULL, &target);
	if (!test->error)
		test->error = vg_build_from_units(&request, &all, target, &arena, &test->result);
	vg_target_close(target);
	vg_arena_clear(&arena);
	free_unit(&units[0]);
	free_unit(&units[1]);
}

void differ_case_run(struct differ_case *test)
{
	char *here = getcwd(NULL, 0);

	test->compiler = test->compiler ?: "gcc";
	test->flags = test->flags ?: "-O2 -g -fPIE";
	test->link = test->link ?: "-pie";
	strcpy(test->directory, "/tmp/vgraft-differ-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(test->directory));
	compile_unit(test, "main", test->pre, test->post);
	if (test->pre2)
		compile_unit(test, "other", test->pre2, test->post2);
	if (test->rest) {
		write_source(test, "rest.c", test->rest);
		free(run(test, "%s %s -c rest.c -o rest.o", test->compiler, test->flags));
	}
	if (test->target || test->target_compiler)
		compile_target_otherwise(test);
	else
		free(run(test, "for f in *.plain.o; do cp $f ${f%%.plain.o}.target.o; done"));
	free(run(test, "%s -Wl,--build-id %s *.target.o %s -o target",
		 test->target_compiler ?: test->compiler, test->link, test->rest ? "rest.o" : ""));
	if (test->strip)
		free(run(test, "strip target"));
	free(run(test,
		 "gcc -shared -fPIC -D_GNU_SOURCE -I%s/include %s/tests/lib/patch_loader.c "
		 "-o loader.so",
		 here, here));
	free(here);
	differ_case_build(test);
}

char *differ_case_output(struct differ_case *test, const char *command)
{
	if (!strcmp(command, REBUILT))
		free(run(test, "%s %s *.post.o %s -o rebuilt", test->compiler, test->link,
			 test->rest ? "rest.o" : ""));
	return run(test, "%s", command);
}

void differ_case_clear(struct differ_case *test)
{
	vg_error_free(test->error);
	vg_build_result_clear(&test->result);
	if (!getenv("DIFFER_KEEP"))
		free(run(test, "rm -rf %s", test->directory));
}
