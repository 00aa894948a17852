/* SPDX-License-Identifier: MIT */
/*
 * The pause beside its physical floor. For each number of threads: fresh targets, and on each of
 * them the floor program and an apply or revert in turn, so that a machine that is busy for a while
 * is busy for both. Medians; nothing here passes or fails.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS 15

static const unsigned thread_counts[] = {1, 8, 64, 783};

struct series {
	double values[4 * RUNS];
	size_t count;
};

struct size_result {
	struct series floor, apply, revert, apply_wall, inject;
};

struct target {
	pid_t pid;
	FILE *in, *out;
	char address[32];
};

static const char *build_folder;
static char work[512];

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* Runs a command and returns the first line that it prints. */
__attribute__((format(printf, 1, 2))) static char *first_line(const char *format, ...)
{
	char command[2048], *line = NULL;
	size_t room = 0;
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	/* The bench runs the commands that a user would type; nothing in them comes from outside.
	 */
	FILE *pipe = popen(command, "re"); /* NOLINT(cert-env33-c) */
	if (!pipe || getline(&line, &room, pipe) < 0)
		die("no answer from: %s", command);
	while (fgetc(pipe) != EOF)
		;
	if (pclose(pipe) != 0)
		die("failed: %s", command);
	return line;
}

static void add(struct series *series, double value)
{
	series->values[series->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(struct series *series)
{
	qsort(series->values, series->count, sizeof(double), compare);
	return series->values[series->count / 2];
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void build_patch(void)
{
	snprintf(work, sizeof(work), "%s/bench/pause", build_folder);
	free(first_line(
		"mkdir -p %s && cp tests/bench/pause/target.c %s/ && cd %s && "
		"gcc -O2 -g -Wl,--build-id -pthread -o target target.c && "
		"printf '[{\"directory\":\"%%s\",\"file\":\"target.c\",\"command\":\"gcc -O2 -g "
		"-pthread -c -o target.o target.c\"}]' \"$PWD\" > compile_commands.json && "
		"echo made",
		work, work, work));
	char *line =
		first_line("%s/vgraft build --json --source %s --diff tests/bench/pause/fix.diff "
			   "--target %s/target --name pause -o %s/pause.vgp 2>/dev/null",
			   build_folder, work, work, work);
	json_t *object = json_loads(line, 0, NULL);
	printf("patch: %.0f bytes, built in %.0f ms\n", number(object, "bytes"),
	       number(object, "ms"));
	json_decref(object);
	free(line);
}

static void start_target(struct target *target, unsigned threads)
{
	int in[2], out[2];
	char program[600], count[16];

	snprintf(program, sizeof(program), "%s/target", work);
	snprintf(count, sizeof(count), "%u", threads);
	if (pipe(in) < 0 || pipe(out) < 0)
		die("cannot make pipes");
	target->pid = fork();
	if (target->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		close(out[0]);
		execl(program, program, count, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	target->in = fdopen(in[1], "w");
	target->out = fdopen(out[0], "r");
	if (!fgets(target->address, sizeof(target->address), target->out))
		die("the target with %u threads did not start", threads);
	target->address[strcspn(target->address, "\n")] = '\0';
}

static void stop_target(struct target *target)
{
	fclose(target->in);
	fclose(target->out);
	kill(target->pid, SIGKILL);
	waitpid(target->pid, NULL, 0);
}

static void measure_floor(const struct target *target, struct size_result *result)
{
	char *line = first_line("%s/tests/bench/floor/floor %d %s", build_folder, target->pid,
				target->address);

	add(&result->floor, strtod(line, NULL));
	free(line);
}

static void measure_verb(const char *verb, const char *subject, const struct target *target,
			 struct series *pause, struct size_result *result)
{
	char *line = first_line("%s/vgraft %s %s --json --pid %d 2>/dev/null", build_folder, verb,
				subject, target->pid);
	json_t *object = json_loads(line, 0, NULL);

	add(pause, number(object, "pause_us"));
	add(&result->inject, number(object, "inject_us"));
	json_decref(object);
	free(line);
}

static void measure_size(unsigned threads, struct size_result *result)
{
	char object[600];

	snprintf(object, sizeof(object), "%s/pause.vgp", work);
	for (int i = 0; i < RUNS; i++) {
		struct target target;

		start_target(&target, threads);
		measure_floor(&target, result);
		measure_verb("apply", object, &target, &result->apply, result);
		measure_floor(&target, result);
		measure_verb("revert", "pause", &target, &result->revert, result);
		stop_target(&target);
	}
}

int main(void)
{
	build_folder = getenv("VGRAFT_BUILD") ? getenv("VGRAFT_BUILD") : "build";
	build_patch();
	printf("pause of a target, us, medians of %d runs on fresh targets, floor in the same "
	       "run\n",
	       RUNS);
	printf("%8s %9s %9s %9s %11s %14s %9s\n", "threads", "floor", "apply", "revert",
	       "apply/floor", "1.5*floor+100", "injected");
	for (size_t i = 0; i < sizeof(thread_counts) / sizeof(thread_counts[0]); i++) {
		struct size_result result = {0};

		measure_size(thread_counts[i], &result);
		double floor_us = median(&result.floor), apply_us = median(&result.apply);
		printf("%8u %9.1f %9.1f %9.1f %11.2f %14.1f %9.1f\n", thread_counts[i], floor_us,
		       apply_us, median(&result.revert), apply_us / floor_us, 1.5 * floor_us + 100,
		       median(&result.inject));
		fflush(stdout);
	}
	return 0;
}
