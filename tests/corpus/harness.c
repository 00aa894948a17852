/* SPDX-License-Identifier: MIT */
/*
 * The corpus: tiny programs with a diff beside them (tests/corpus/README). Runs each in its own
 * configuration, or with --matrix in every one; each program is compiled, started, patched and
 * taken back by the command vgraft as a user would do it (session.c has the steps).
 *
 * The command is $VGRAFT, or else vgraft in the build folder that this program lies in.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/corpus/matrix.h"
#include "tests/corpus/session.h"

static const char usage[] =
	"usage: harness [--matrix] [--sample N] [--seed S] [--jobs N] [--keep] [--corpus DIR]\n"
	"               [PROGRAM...]\n"
	"\n"
	"  --matrix      gcc and clang, -O0 -O2 -O3, pie nopie static shared\n"
	"  --sample N    of these, one in N beside each program's own (0: none; default 64 if no\n"
	"                program is named)\n"
	"  --seed S      which ones (default: other ones each day)\n"
	"  --jobs N      programs at a time (default 2)\n"
	"  --keep        keep the directories of programs that pass\n"
	"  --corpus DIR  where the programs lie (default tests/corpus)\n";

enum { ENDED_OK = 0, ENDED_NOT_OK = 1, ENDED_SKIPPED = 2 };

struct harness {
	const char *corpus;
	char *vgraft, *work;
	bool matrix, keep;
	long jobs, running, sample; /* sample: one in so many, 0 = none */
	unsigned long seed;
	unsigned passed, failed, skipped;
};

/*
 * A pending program runs all the same: the day it passes, the word must go, or the promise would
 * not be held from then on.
 */
static int tell_pending(const struct session *session, const char *name, bool passed)
{
	if (passed)
		printf("not ok %s: it passes; take `pending` out of its expect\n", name);
	else
		printf("skipped: %s: %s\n", name, session->expect->pending);
	fflush(stdout);
	return passed ? ENDED_NOT_OK : ENDED_SKIPPED;
}

static int tell(const struct session *session, const char *name, const char *label,
		const struct vg_error *error)
{
	if (session->expect->pending)
		return tell_pending(session, name, !error);
	if (error)
		printf("not ok %s%s%s: %s (see %s)\n", name, *label ? " " : "", label,
		       vg_error_text(error), session->directory);
	else
		printf("ok %s%s%s: %s\n", name, *label ? " " : "", label,
		       session->expect->mechanism);
	fflush(stdout);
	return error ? ENDED_NOT_OK : ENDED_OK;
}

/* Runs in a process of its own; says how it went in one line. */
static int run_one(const struct harness *harness, const char *name, const struct expect *expect,
		   const struct configuration *configuration, const char *label)
{
	_cleanup_free_ char *folder = NULL, *directory = NULL;

	if (asprintf(&folder, "%s/%s", harness->corpus, name) < 0 ||
	    asprintf(&directory, "%s/%s%s%s", harness->work, name, *label ? "." : "", label) < 0)
		return ENDED_NOT_OK;
	struct session session = {
		.vgraft = harness->vgraft,
		.folder = folder,
		.directory = directory,
		.expect = expect,
		.configuration = *configuration,
		.names_are_checked = !*label,
		.keep = harness->keep,
	};
	struct vg_error *error = session_run(&session);
	int code = tell(&session, name, label, error);

	vg_error_free(error);
	return code;
}

static void reap(struct harness *harness)
{
	int status;

	if (waitpid(-1, &status, 0) < 0)
		return;
	harness->running--;
	if (WIFEXITED(status) && WEXITSTATUS(status) == ENDED_OK)
		harness->passed++;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == ENDED_SKIPPED)
		harness->skipped++;
	else
		harness->failed++;
}

static void start(struct harness *harness, const char *name, const struct expect *expect,
		  const struct configuration *configuration, const char *label)
{
	if (harness->running == harness->jobs)
		reap(harness);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		_exit(run_one(harness, name, expect, configuration, label));
	if (pid < 0)
		harness->failed++;
	else
		harness->running++;
}

static void start_matrix(struct harness *harness, const char *name, const struct expect *expect)
{
	for (unsigned cell = 0; cell < MATRIX_CELLS; cell++) {
		struct configuration configuration;
		char label[64];

		matrix_cell(cell, &configuration, label, sizeof(label));
		if (matrix_has(expect, &configuration) &&
		    (harness->matrix ||
		     matrix_is_sampled(harness->seed, name, cell, (unsigned long)harness->sample)))
			start(harness, name, expect, &configuration, label);
	}
}

/* Its own configuration, which is the most telling one, and what the sample has of the others. */
static void start_program(struct harness *harness, const char *name, const struct expect *expect)
{
	struct configuration configuration = {.cc = expect->cc, .type = expect->type};

	if (!harness->matrix)
		start(harness, name, expect, &configuration, "");
	if (harness->matrix || harness->sample)
		start_matrix(harness, name, expect);
}

static void run_program(struct harness *harness, const char *name)
{
	_cleanup_(expect_clear) struct expect expect = {0};
	_cleanup_free_ char *path = NULL;
	struct vg_error *error;

	if (asprintf(&path, "%s/%s/expect", harness->corpus, name) < 0)
		return;
	error = expect_read(path, &expect);
	if (error) {
		printf("not ok %s: %s\n", name, vg_error_text(error));
		vg_error_free(error);
		harness->failed++;
		return;
	}
	start_program(harness, name, &expect);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && entry->d_name[0] != '.';
}

static void run_all(struct harness *harness)
{
	struct dirent **entries;
	int count = scandir(harness->corpus, &entries, is_visible, alphasort);

	for (int i = 0; i < count; i++) {
		run_program(harness, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

/* The build folder is two levels above this program. */
static char *build_path(const char *rest)
{
	char program[4096];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *path;

	program[length < 0 ? 0 : length] = '\0';
	for (int i = 0; i < 3; i++)
		if (strrchr(program, '/'))
			*strrchr(program, '/') = '\0';
	return asprintf(&path, "%s/%s", program, rest) < 0 ? NULL : path;
}

static bool prepare(struct harness *harness)
{
	const char *named = getenv("VGRAFT");
	char *corpus = realpath(harness->corpus, NULL);

	harness->vgraft = named ? realpath(named, NULL) : build_path("vgraft");
	harness->work = build_path("tests/corpus/work-XXXXXX");
	if (!corpus || !harness->vgraft || access(harness->vgraft, X_OK) != 0) {
		fprintf(stderr, "harness: there is no %s\n",
			!corpus		  ? harness->corpus
			: harness->vgraft ? harness->vgraft
					  : named);
		free(corpus);
		return false;
	}
	harness->corpus = corpus;
	if (mkdtemp(harness->work))
		return true;
	fprintf(stderr, "harness: cannot make %s: %s\n", harness->work, strerror(errno));
	return false;
}

static bool parse(struct harness *harness, int argc, char **argv)
{
	static const struct option options[] = {
		{"matrix", no_argument, NULL, 'm'},	  {"keep", no_argument, NULL, 'k'},
		{"jobs", required_argument, NULL, 'j'},	  {"help", no_argument, NULL, 'h'},
		{"corpus", required_argument, NULL, 'c'}, {"sample", required_argument, NULL, 's'},
		{"seed", required_argument, NULL, 'S'},	  {0},
	};

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == 'm')
			harness->matrix = true;
		else if (option == 'k')
			harness->keep = true;
		else if (option == 's')
			harness->sample = atol(optarg);
		else if (option == 'S')
			harness->seed = strtoul(optarg, NULL, 10);
		else if (option == 'j')
			harness->jobs = atol(optarg);
		else if (option == 'c')
			harness->corpus = optarg;
		else
			return false;
	}
	if (harness->sample < 0)
		harness->sample = optind == argc ? 64 : 0;
	return harness->jobs > 0;
}

int main(int argc, char **argv)
{
	struct harness harness = {
		.corpus = "tests/corpus",
		.jobs = 2,
		.sample = -1,
		.seed = (unsigned long)time(NULL) / 86400, /* the day */
	};

	signal(SIGPIPE, SIG_IGN);
	if (!parse(&harness, argc, argv)) {
		fputs(usage, stderr);
		return VG_USAGE;
	}
	if (!prepare(&harness))
		return VG_USAGE;
	if (harness.sample && !harness.matrix)
		printf("sample: one in %ld of the matrix, --seed %lu\n", harness.sample,
		       harness.seed);
	for (int i = optind; i < argc; i++)
		run_program(&harness, argv[i]);
	if (optind == argc)
		run_all(&harness);
	while (harness.running > 0)
		reap(&harness);
	rmdir(harness.work); /* stays if a program's directory is kept in it */
	printf("%u passed, %u failed, %u skipped\n", harness.passed, harness.failed,
	       harness.skipped);
	free((char *)harness.corpus);
	free(harness.vgraft);
	free(harness.work);
	return harness.failed ? 1 : 0;
}
