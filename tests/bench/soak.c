/* SPDX-License-Identifier: MIT */
/*
 * A day of patching in ten minutes: apply and revert in turn, one every 10 ms, on one process whose
 * threads come and go, call the patched function, and get 10,000 signals each second. Nothing may
 * be lost, wrong, or grow. VGRAFT_SOAK_SECONDS: another length.
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "common/patch_object.h"
#include "tests/bench/lib/measure.h"
#include "tests/bench/lib/plot.h"

#define SECONDS	       600
#define EVERY_MS       10
#define SIGNALS_PER_MS 10
#define ASK_EVERY      100 /* cycles */

struct soak {
	struct bench_target target;
	struct vg_patch *patch;
	struct series pause;
	unsigned long cycles, stops;
	double start_ms, seconds;
	double worst_us; /* since the last point of the plot */
};

static struct plot plot = {.title = "longest pause of each part of the soak",
			   .x_label = "seconds",
			   .y_label = "microseconds"};

struct sender {
	pid_t pid;
	atomic_bool stop;
	unsigned long sent;
};

static void *send_signals(void *argument)
{
	const struct timespec nap = {.tv_nsec = 50000};
	struct sender *sender = argument;
	double start = bench_now_ms();

	while (!atomic_load(&sender->stop)) {
		double due = (bench_now_ms() - start) * SIGNALS_PER_MS;

		while ((double)sender->sent < due &&
		       sigqueue(sender->pid, SIGRTMIN, (union sigval){0}) == 0)
			sender->sent++;
		nanosleep(&nap, NULL);
	}
	return NULL;
}

struct answer {
	unsigned long value, signals, born, wrong;
};

static struct answer ask(struct soak *soak)
{
	struct answer answer;
	char line[128];

	fputs("\n", soak->target.in);
	fflush(soak->target.in);
	if (!fgets(line, sizeof(line), soak->target.out) ||
	    sscanf(line, "%lu %lu %lu %lu", &answer.value, &answer.signals, &answer.born,
		   &answer.wrong) != 4)
		bench_die("process %d does not answer", soak->target.pid);
	return answer;
}

static void expect(struct soak *soak, unsigned long value)
{
	struct answer answer = ask(soak);

	if (answer.value != value || answer.wrong)
		bench_die("after %lu cycles the target answers %lu instead of %lu, and %lu results "
			  "were wrong",
			  soak->cycles, answer.value, value, answer.wrong);
}

static void take(struct soak *soak, struct vg_error *error, struct vg_result *result,
		 enum vg_outcome outcome)
{
	if (error)
		bench_die("cycle %lu: %s", soak->cycles, vg_error_text(error));
	if (result->outcome != outcome)
		bench_die("cycle %lu: %s", soak->cycles, result->reason);
	series_add(&soak->pause, result->pause_us);
	if (result->pause_us > soak->worst_us)
		soak->worst_us = result->pause_us;
	soak->stops += result->stops;
	vg_result_clear(result);
}

/* The next of the moments that lie EVERY_MS apart. */
static void wait_for_turn(double *turn)
{
	double now = bench_now_ms();

	*turn += EVERY_MS;
	if (*turn < now)
		*turn = now;
	usleep((useconds_t)((*turn - now) * 1000));
}

static void cycle(struct soak *soak, double *turn)
{
	struct vg_patch_options options = {.timeout = 60};
	struct vg_result result;
	bool asks = soak->cycles % ASK_EVERY == 0;

	wait_for_turn(turn);
	take(soak, vg_apply(soak->patch, soak->target.pid, &options, &result), &result,
	     VG_OUTCOME_APPLIED);
	if (asks)
		expect(soak, 3);
	wait_for_turn(turn);
	take(soak, vg_revert("soak", soak->target.pid, &options, &result), &result,
	     VG_OUTCOME_REVERTED);
	if (asks)
		expect(soak, 2);
	soak->cycles++;
}

static unsigned long count_lines(pid_t pid, const char *name)
{
	char path[64];
	unsigned long lines = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	for (int c; file && (c = fgetc(file)) != EOF;)
		lines += c == '\n';
	return lines;
}

static unsigned long resident_kib(pid_t pid)
{
	unsigned long size, resident = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
		return 0;
	return resident * 4;
}

static unsigned long open_files(void)
{
	_cleanup_closedir_ DIR *directory = opendir("/proc/self/fd");
	unsigned long count = 0;

	while (directory && readdir(directory))
		count++;
	return count;
}

struct sizes {
	unsigned long maps, target_kib, own_kib, files;
};

static struct sizes sizes(const struct soak *soak)
{
	return (struct sizes){.maps = count_lines(soak->target.pid, "maps"),
			      .target_kib = resident_kib(soak->target.pid),
			      .own_kib = resident_kib(getpid()),
			      .files = open_files()};
}

static void run(struct soak *soak, struct sizes *before)
{
	struct plot_line *line = plot_add_line(&plot, "pause");
	double turn = bench_now_ms(), point = soak->seconds / 300, next = point;

	soak->start_ms = turn;
	while (turn < soak->start_ms + 1e3 * soak->seconds) {
		cycle(soak, &turn);
		if (soak->cycles == ASK_EVERY) /* everything has been used once */
			*before = sizes(soak);
		double done = (bench_now_ms() - soak->start_ms) / 1e3;

		if (done < next)
			continue;
		plot_add(line, done, soak->worst_us);
		soak->worst_us = 0;
		next += point;
	}
}

static void print(struct soak *soak, const struct sender *sender, const struct sizes *before)
{
	struct sizes after = sizes(soak);
	double seconds = (bench_now_ms() - soak->start_ms) / 1e3;
	struct answer answer = ask(soak);

	/* Queued, and delivered when the thread that takes them gets a processor. */
	for (int i = 0; i < 1000 && answer.signals < sender->sent; i++) {
		usleep(10000);
		answer = ask(soak);
	}
	if (answer.signals != sender->sent)
		bench_die("of %lu signals %lu arrived", sender->sent, answer.signals);
	printf("%lu cycles in %.0f s (%.1f verbs each second), %lu stops; %lu signals (%.0f each "
	       "second), none lost; %lu threads born (%.0f each second)\n",
	       soak->cycles, seconds, 2 * (double)soak->cycles / seconds, soak->stops, sender->sent,
	       (double)sender->sent / seconds, answer.born, (double)answer.born / seconds);
	printf("pause of a verb, us: median %.1f", series_median(&soak->pause));
	printf(", longest %.1f (load %.1f)\n", soak->pause.values[soak->pause.count - 1],
	       bench_load());
	printf("from cycle %d to the end: maps of the target %lu to %lu, resident KiB %lu to %lu; "
	       "of the tool KiB %lu to %lu, open files %lu to %lu\n",
	       ASK_EVERY, before->maps, after.maps, before->target_kib, after.target_kib,
	       before->own_kib, after.own_kib, before->files, after.files);
}

int main(void)
{
	const char *length = getenv("VGRAFT_SOAK_SECONDS");
	struct soak soak = {.seconds = length ? strtod(length, NULL) : SECONDS};
	char folder[512], path[600];
	struct sender sender = {0};
	struct sizes before = {0};
	pthread_t thread;

	json_decref(bench_patch("soak", folder));
	snprintf(path, sizeof(path), "%s/soak.vgp", folder);
	if (vg_patch_open(path, &soak.patch))
		bench_die("cannot read %s", path);
	snprintf(path, sizeof(path), "%s/target", folder);
	bench_target_start(&soak.target, path, NULL);
	sender.pid = soak.target.pid;
	if (pthread_create(&thread, NULL, send_signals, &sender))
		bench_die("cannot make a thread that sends signals");
	printf("soak: apply and revert in turn, one every %d ms, for %.0f s\n", EVERY_MS,
	       soak.seconds);
	fflush(stdout);
	run(&soak, &before);
	atomic_store(&sender.stop, true);
	pthread_join(thread, NULL);
	print(&soak, &sender, &before);
	plot_write(&plot, "soak");
	bench_target_stop(&soak.target);
	vg_patch_free(soak.patch);
	series_clear(&soak.pause);
	return 0;
}
