/* SPDX-License-Identifier: MIT */
/*
 * What building a patch costs: a diff of one function in projects of 1, 100 and 1,000 objects with
 * their dependency files at hand, beside compiling the changed unit twice (old and new), which is
 * the least that can be done. In turn; medians; nothing here passes or fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/lib/measure.h"

#define RUNS	  7
#define FUNCTIONS 20 /* of the changed unit */
#define FLAGS	  "-O2 -g -MMD -c"

static const unsigned sizes[] = {1, 100, 1000};

static char folder[512];

static FILE *create(const char *name)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "we");
	if (!file)
		bench_die("cannot write %s", path);
	return file;
}

static void finish(FILE *file)
{
	if (fclose(file) != 0)
		bench_die("cannot write a file of the project");
}

/* A unit of the usual kind: a few headers, static helpers, switches, calls to the library. */
static void write_changed_unit(void)
{
	FILE *file = create("unit0.c");

	fputs("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
	      "#include \"shared.h\"\n\n",
	      file);
	for (int i = 0; i < FUNCTIONS; i++)
		fprintf(file,
			"int step%d(struct shared *shared, const char *text)\n{\n"
			"\tsize_t length = strlen(text);\n\n"
			"\tswitch (shared->kind) {\n"
			"\tcase 0:\n\t\treturn snprintf(shared->text, 64, \"%d %%s\", text);\n"
			"\tcase 1:\n\t\tshared->total += length * %d;\n\t\tbreak;\n"
			"\tcase 2:\n\t\tmemcpy(shared->text, text, length & 31);\n\t\tbreak;\n"
			"\tdefault:\n\t\treturn atoi(text) + %d;\n\t}\n"
			"\treturn (int)shared->total;\n}\n\n",
			i, i, i + 3, i);
	fputs("int main(int argc, char **argv)\n{\n"
	      "\tstruct shared shared = {.kind = argc};\n\n"
	      "\tfor (int i = 1; i < argc; i++)\n"
	      "\t\tprintf(\"%d\\n\", step7(&shared, argv[i]));\n\treturn 0;\n}\n",
	      file);
	finish(file);
}

static void write_other_units(unsigned count)
{
	FILE *header = create("shared.h");

	fputs("struct shared {\n\tint kind;\n\tunsigned long total;\n\tchar text[64];\n};\n",
	      header);
	finish(header);
	for (unsigned i = 1; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "unit%u.c", i);
		FILE *file = create(name);
		fprintf(file,
			"#include \"shared.h\"\n\nint other%u(struct shared *shared);\n\n"
			"int other%u(struct shared *shared)\n{\n"
			"\tshared->total += %u;\n\treturn shared->kind;\n}\n",
			i, i, i);
		finish(file);
	}
}

static void write_compile_commands(unsigned count)
{
	FILE *file = create("compile_commands.json");

	for (unsigned i = 0; i < count; i++)
		fprintf(file,
			"%s\n{\"directory\": \"%s\", \"file\": \"unit%u.c\", \"output\": "
			"\"unit%u.o\", \"command\": \"gcc " FLAGS " -o unit%u.o unit%u.c\"}",
			i ? "," : "[", folder, i, i, i, i);
	fputs("\n]\n", file);
	finish(file);
}

/* The fix: one constant in one function. */
static void write_diff(void)
{
	bench_run("cd '%s' && mkdir fixed && "
		  "sed 's/shared->total += length \\* 10;/if (length < 60)\\n\\t\\t\\t&/' unit0.c "
		  "> fixed/unit0.c && "
		  "{ diff -u --label a/unit0.c --label b/unit0.c unit0.c fixed/unit0.c "
		  "> fix.diff; test $? -eq 1; }",
		  folder);
}

static void make_project(unsigned count)
{
	char name[32];

	snprintf(name, sizeof(name), "build-%u", count);
	bench_folder(name, folder);
	write_changed_unit();
	write_other_units(count);
	write_compile_commands(count);
	write_diff();
	bench_run("cd '%s' && ls unit*.c | xargs -n 50 -P 2 gcc " FLAGS " && "
		  "gcc -Wl,--build-id -o target unit*.o",
		  folder);
}

static double compile_twice(void)
{
	double start = bench_now_ms();

	bench_run("cd '%s' && gcc " FLAGS " -o pre.o unit0.c && "
		  "gcc " FLAGS " -I. -o post.o fixed/unit0.c",
		  folder);
	return bench_now_ms() - start;
}

static double build_patch(double *bytes)
{
	double start = bench_now_ms();
	json_t *answers = bench_vgraft("build --source '%s' --diff '%s/fix.diff' "
				       "--target '%s/target' --name fix -o '%s/fix.vgp'",
				       folder, folder, folder, folder);
	double took = bench_now_ms() - start;

	*bytes = bench_number(json_array_get(answers, 0), "bytes");
	json_decref(answers);
	return took;
}

static void measure(unsigned count)
{
	struct series twice = {0}, build = {0};
	double bytes = 0;

	make_project(count);
	for (int i = 0; i < RUNS; i++) {
		series_add(&twice, compile_twice());
		series_add(&build, build_patch(&bytes));
	}

	double twice_ms = series_median(&twice), build_ms = series_median(&build);

	printf("%8u %14.0f %9.0f %9.2f %12.0f\n", count, twice_ms, build_ms, build_ms / twice_ms,
	       bytes);
	fflush(stdout);
	series_clear(&twice);
	series_clear(&build);
}

int main(void)
{
	printf("building a patch of one function, ms, medians of %d turns (load %.1f)\n", RUNS,
	       bench_load());
	printf("%8s %14s %9s %9s %12s\n", "objects", "compile twice", "build", "ratio",
	       "patch bytes");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		measure(sizes[i]);
	return 0;
}
