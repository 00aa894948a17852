/* SPDX-License-Identifier: MIT */
/*
 * What building a patch costs: a diff of one function, with a string and a static, in projects of 1
 * to 1,000 objects and a binary of 50 MB, with dependency files at hand, beside compiling the
 * changed unit twice (old and new), which is the least that can be done. Both as a user waits for
 * it and as CPU time, which other load on the host disturbs less. In turn; medians; nothing here
 * passes or fails.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/bench/lib/measure.h"
#include "tests/bench/lib/plot.h"

#define RUNS	  7
#define FUNCTIONS 20 /* of the changed unit */
#define CHANGED	  7  /* the one that is */
#define FLAGS	  "-O2 -g -MMD -c"

/* A project of so many objects; `bulk`: its binary has 50 MB. */
static const struct project {
	unsigned objects;
	bool bulk;
} projects[] = {{1, false}, {10, false}, {100, false}, {1000, false}, {1000, true}};

#define PROJECTS (sizeof(projects) / sizeof(projects[0]))

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

static void write_step(FILE *file, int number, bool fixed)
{
	fprintf(file,
		"int step%d(struct shared *shared, const char *text)\n{\n"
		"\tsize_t length = strlen(text);\n\n%s"
		"\tswitch (shared->kind) {\n"
		"\tcase 0:\n\t\treturn snprintf(shared->text, 64, \"%d %%s\", text);\n"
		"\tcase 1:\n\t\tshared->total += length * %d;\n\t\tbreak;\n"
		"\tcase 2:\n\t\tmemcpy(shared->text, text, length & 31);\n\t\tbreak;\n"
		"\tdefault:\n\t\treturn atoi(text) + %d;\n\t}\n"
		"\tsteps++;\n\treturn (int)shared->total;\n}\n\n",
		number,
		fixed ? "\tif (length > 60) {\n\t\tsteps++;\n"
			"\t\treturn puts(\"the text is too long\");\n\t}\n"
		      : "",
		number, number + 3, number);
}

/* A unit of the usual kind: a few headers, static helpers, switches, calls to the library. */
static void write_changed_unit(const char *name, bool fixed)
{
	FILE *file = create(name);

	fputs("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
	      "#include \"shared.h\"\n\nstatic unsigned long steps;\n\n",
	      file);
	for (int i = 0; i < FUNCTIONS; i++)
		write_step(file, i, fixed && i == CHANGED);
	fputs("int main(int argc, char **argv)\n{\n"
	      "\tstruct shared shared = {.kind = argc};\n\n"
	      "\tfor (int i = 1; i < argc; i++)\n"
	      "\t\tprintf(\"%d\\n\", step7(&shared, argv[i]));\n\treturn (int)steps;\n}\n",
	      file);
	finish(file);
}

/* 80,000 functions of 512 bytes with symbols and unwind entries, and 8 MB of constants. */
static void write_bulk(bool bulk)
{
	FILE *file = create("bulk.S");

	if (bulk)
		fputs(".text\n.macro bulk number\n.globl bulk\\number\n"
		      ".type bulk\\number, @function\nbulk\\number:\n.cfi_startproc\n"
		      "mov $\\number, %eax\n.fill 126, 4, 0x00401f0f\nret\n.cfi_endproc\n"
		      ".size bulk\\number, . - bulk\\number\n.endm\n"
		      ".altmacro\n.set at, 0\n.rept 80000\nbulk %at\n.set at, at + 1\n.endr\n"
		      ".section .rodata\n.fill 0x200000, 4, 0x01020304\n",
		      file);
	fputs(".section .note.GNU-stack,\"\",@progbits\n", file);
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

static void write_diff(void)
{
	bench_run("cd '%s' && mkdir fixed", folder);
	write_changed_unit("fixed/unit0.c", true);
	bench_run("cd '%s' && { diff -u --label a/unit0.c --label b/unit0.c unit0.c fixed/unit0.c "
		  "> fix.diff; test $? -eq 1; }",
		  folder);
}

static void make_project(const struct project *project)
{
	char name[32];

	snprintf(name, sizeof(name), "build-%u%s", project->objects, project->bulk ? "-bulk" : "");
	bench_folder(name, folder);
	write_changed_unit("unit0.c", false);
	write_other_units(project->objects);
	write_bulk(project->bulk);
	write_compile_commands(project->objects);
	write_diff();
	bench_run("cd '%s' && ls unit*.c | xargs -n 50 -P 2 gcc " FLAGS " && gcc -c bulk.S && "
		  "gcc -Wl,--build-id -o target *.o",
		  folder);
}

/* What a user waits for, and the CPUs' work; ms. */
struct cost {
	double wall, cpu;
};

/* Of all processes that were started and have ended. */
static double cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return 1e3 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       1e-3 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static struct cost cost_begin(void)
{
	return (struct cost){bench_now_ms(), cpu_ms()};
}

static struct cost cost_end(struct cost since)
{
	return (struct cost){bench_now_ms() - since.wall, cpu_ms() - since.cpu};
}

static struct cost compile_twice(void)
{
	struct cost start = cost_begin();

	bench_run("cd '%s' && gcc " FLAGS " -o pre.o unit0.c && "
		  "gcc " FLAGS " -I. -o post.o fixed/unit0.c",
		  folder);
	return cost_end(start);
}

static struct cost build_patch(double *bytes)
{
	struct cost start = cost_begin(), took;
	json_t *answers = bench_vgraft("build --source '%s' --diff '%s/fix.diff' "
				       "--target '%s/target' --name fix -o '%s/fix.vgp'",
				       folder, folder, folder, folder);

	took = cost_end(start);
	*bytes = bench_number(json_array_get(answers, 0), "bytes");
	json_decref(answers);
	return took;
}

static double target_mb(void)
{
	char *line = bench_line("stat -c %%s '%s/target'", folder);
	double bytes = strtod(line, NULL);

	free(line);
	return bytes / 1e6;
}

struct costs {
	struct series wall, cpu;
};

static void costs_add(struct costs *costs, struct cost cost)
{
	series_add(&costs->wall, cost.wall);
	series_add(&costs->cpu, cost.cpu);
}

static struct cost costs_median(struct costs *costs)
{
	struct cost median = {series_median(&costs->wall), series_median(&costs->cpu)};

	series_clear(&costs->wall);
	series_clear(&costs->cpu);
	return median;
}

static struct plot plot = {
	.title = "vgraft build, a patch of one function",
	.x_label = "objects of the project",
	.y_label = "ms",
	.logarithmic = true,
};

static void draw(const struct project *project, struct cost twice, struct cost build)
{
	if (project->bulk)
		return;
	plot_add(&plot.lines[0], project->objects, twice.wall);
	plot_add(&plot.lines[1], project->objects, 2 * twice.wall);
	plot_add(&plot.lines[2], project->objects, build.wall);
}

static void measure(const struct project *project)
{
	struct costs twice_costs = {0}, build_costs = {0};
	double bytes = 0;

	make_project(project);
	for (int i = 0; i < RUNS; i++) {
		costs_add(&twice_costs, compile_twice());
		costs_add(&build_costs, build_patch(&bytes));
	}

	struct cost twice = costs_median(&twice_costs), build = costs_median(&build_costs);

	printf("%8u %7.1f %8.0f %8.0f %6.2f %8.0f %8.0f %6.2f %12.0f\n", project->objects,
	       target_mb(), twice.wall, build.wall, build.wall / twice.wall, twice.cpu, build.cpu,
	       build.cpu / twice.cpu, bytes);
	fflush(stdout);
	draw(project, twice, build);
}

int main(void)
{
	printf("building a patch of one function with a string and a static, beside compiling its "
	       "unit twice: ms,\nmedians of %d turns (load %.1f); aims: a ratio of 2, 2,200 "
	       "bytes\n",
	       RUNS, bench_load());
	printf("%8s %7s %8s %8s %6s %8s %8s %6s %12s\n", "objects", "MB", "twice", "build", "ratio",
	       "CPU", "CPU", "ratio", "patch bytes");
	plot_add_line(&plot, "compile twice");
	plot_add_line(&plot, "aim: 2 x");
	plot_add_line(&plot, "vgraft build");
	for (size_t i = 0; i < PROJECTS; i++)
		measure(&projects[i]);
	plot_write(&plot, "build");
	return 0;
}
