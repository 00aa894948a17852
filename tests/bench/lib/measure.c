/* SPDX-License-Identifier: MIT */
#include "tests/bench/lib/measure.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/guest.h"

void bench_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void bench_must(struct vg_error *error)
{
	if (error)
		bench_die("%s", vg_error_text(error));
}

void series_add(struct series *series, double value)
{
	if (series->count == series->room) {
		series->room = series->room ? 2 * series->room : 16;
		series->values = reallocarray(series->values, series->room, sizeof(double));
		if (!series->values)
			bench_die("out of memory for measurements");
	}
	series->values[series->count++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double series_median(struct series *series)
{
	if (!series->count)
		bench_die("nothing was measured");
	qsort(series->values, series->count, sizeof(double), compare);
	return series->values[series->count / 2];
}

void series_clear(struct series *series)
{
	free(series->values);
	*series = (struct series){0};
}

double bench_now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

double bench_load(void)
{
	double load = 0;

	return getloadavg(&load, 1) == 1 ? load : 0;
}

/*
 * The bench runs the commands that a user would type; nothing in them comes from outside. What they
 * say to people goes to a file, which is shown when one fails.
 */
static FILE *open_command(const char *command)
{
	_cleanup_free_ char *whole = NULL;

	if (asprintf(&whole, "mkdir -p '%s/bench' && { %s ; } 2>'%s/bench/said'", vg_build_folder(),
		     command, vg_build_folder()) < 0)
		bench_die("out of memory for a command");
	fflush(stdout);
	FILE *pipe = popen(whole, "re"); /* NOLINT(cert-env33-c) */
	if (!pipe)
		bench_die("cannot start: %s", command);
	return pipe;
}

static void close_command(FILE *pipe, const char *command)
{
	_cleanup_fclose_ FILE *said = NULL;
	_cleanup_free_ char *path = NULL;

	if (pclose(pipe) == 0)
		return;
	if (asprintf(&path, "%s/bench/said", vg_build_folder()) > 0)
		said = fopen(path, "re");
	for (int c; said && (c = fgetc(said)) != EOF;)
		fputc(c, stderr);
	bench_die("failed: %s", command);
}

static char *format_command(const char *format, va_list args)
{
	char *command;

	if (vasprintf(&command, format, args) < 0)
		bench_die("out of memory for a command");
	return command;
}

void bench_run(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	_cleanup_free_ char *command = format_command(format, args);
	va_end(args);
	FILE *pipe = open_command(command);
	while (fgetc(pipe) != EOF)
		;
	close_command(pipe, command);
}

char *bench_line(const char *format, ...)
{
	char *line = NULL;
	size_t room = 0;
	va_list args;

	va_start(args, format);
	_cleanup_free_ char *command = format_command(format, args);
	va_end(args);
	FILE *pipe = open_command(command);
	ssize_t length = getline(&line, &room, pipe);
	while (fgetc(pipe) != EOF)
		;
	close_command(pipe, command);
	if (length < 0)
		bench_die("no answer from: %s", command);
	return line;
}

json_t *bench_vgraft(const char *format, ...)
{
	json_t *answers = json_array(), *answer;
	va_list args;

	va_start(args, format);
	_cleanup_free_ char *words = format_command(format, args);
	va_end(args);
	_cleanup_free_ char *command = NULL;
	if (asprintf(&command, "%s/vgraft %s --json", vg_build_folder(), words) < 0)
		bench_die("out of memory for a command");
	FILE *pipe = open_command(command);
	while ((answer = json_loadf(pipe, JSON_DISABLE_EOF_CHECK, NULL)))
		json_array_append_new(answers, answer);
	close_command(pipe, command);
	if (!json_array_size(answers))
		bench_die("no answer from: %s", command);
	return answers;
}

double bench_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_number(value))
		bench_die("vgraft's answer has no number %s", key);
	return json_number_value(value);
}

void bench_folder(const char *name, char folder[512])
{
	char *line = bench_line("rm -rf '%s/bench/%s' && mkdir -p '%s/bench/%s' && "
				"cd '%s/bench/%s' && pwd",
				vg_build_folder(), name, vg_build_folder(), name, vg_build_folder(),
				name);

	line[strcspn(line, "\n")] = '\0';
	if (snprintf(folder, 512, "%s", line) >= 512)
		bench_die("the name of the build folder is too long");
	free(line);
}

json_t *bench_patch(const char *name, char folder[512])
{
	bench_folder(name, folder);
	bench_run("cp tests/bench/%s/target.c '%s' && cd '%s' && "
		  "gcc -O2 -g -Wl,--build-id=uuid -pthread -o target target.c && "
		  "printf '[{\"directory\":\"%%s\",\"file\":\"target.c\",\"command\":"
		  "\"gcc -O2 -g -pthread -c -o target.o target.c\"}]' \"$PWD\" "
		  "> compile_commands.json",
		  name, folder, folder);
	return bench_vgraft("build --source '%s' --diff tests/bench/%s/fix.diff "
			    "--target '%s/target' --name %s -o '%s/%s.vgp'",
			    folder, name, folder, name, folder, name);
}

static void run_target(const char *program, const char *argument, const int in[2], const int out[2])
{
	/* Whatever ends the bench ends its targets. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in[0], 0);
	dup2(out[1], 1);
	execl(program, program, argument, NULL);
	_exit(127);
}

void bench_target_start(struct bench_target *target, const char *program, const char *argument)
{
	int in[2], out[2];

	/* Not inherited: with many targets, an end must be nobody's but its own. */
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		bench_die("cannot make pipes");
	target->pid = fork();
	if (target->pid < 0)
		bench_die("cannot start a process");
	if (target->pid == 0)
		run_target(program, argument, in, out);
	close(in[0]);
	close(out[1]);
	target->in = fdopen(in[1], "w");
	target->out = fdopen(out[0], "r");
	if (!target->in || !target->out ||
	    !fgets(target->first, sizeof(target->first), target->out))
		bench_die("%s %s did not start", program, argument);
	target->first[strcspn(target->first, "\n")] = '\0';
}

double bench_target_ask(struct bench_target *target)
{
	char line[64];

	fputs("\n", target->in);
	fflush(target->in);
	if (!fgets(line, sizeof(line), target->out))
		bench_die("process %d does not answer", target->pid);
	return strtod(line, NULL);
}

void bench_target_stop(struct bench_target *target)
{
	char map[64];

	fclose(target->in);
	fclose(target->out);
	kill(target->pid, SIGKILL);
	waitpid(target->pid, NULL, 0);
	/* What a patched process leaves for perf goes with it. */
	snprintf(map, sizeof(map), "/tmp/perf-%d.map", target->pid);
	unlink(map);
}

double bench_floor_us(pid_t pid, const char *address)
{
	char *line =
		bench_line("%s/tests/bench/floor/floor %d %s", vg_build_folder(), pid, address);
	double us = strtod(line, NULL);

	free(line);
	return us;
}

/* The end of the stack holds the program's name: words that stay as they are. */
void bench_still_words(pid_t pid, char address[32])
{
	char *line = bench_line("sed -n 's/^[0-9a-f]*-\\([0-9a-f]*\\) .*\\[stack\\]$/\\1/p' "
				"/proc/%d/maps",
				pid);

	snprintf(address, 32, "%llx", strtoull(line, NULL, 16) - 32);
	free(line);
}
