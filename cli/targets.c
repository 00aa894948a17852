/* SPDX-License-Identifier: MIT */
#include "cli/targets.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "common/error.h"

#define DEFAULT_TIMEOUT 10.0

enum { OPT_PID = 256, OPT_ALL, OPT_TIMEOUT, OPT_STRICT, OPT_SUSPEND, OPT_JSON, OPT_HELP };

static const struct option long_options[] = {
	{"pid", required_argument, NULL, OPT_PID},
	{"all", no_argument, NULL, OPT_ALL},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"strict", no_argument, NULL, OPT_STRICT},
	{"suspend-seccomp", no_argument, NULL, OPT_SUSPEND},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static struct vg_error *take_option(struct vg_targets *targets, int option)
{
	switch (option) {
	case OPT_PID:
		return vg_list_add(&targets->pid_texts, "--pid", optarg);
	case OPT_ALL:
		targets->all = true;
		break;
	case OPT_TIMEOUT:
		return vg_parse_seconds("--timeout", optarg, &targets->options.timeout);
	case OPT_STRICT:
		targets->options.strict = true;
		break;
	case OPT_SUSPEND:
		targets->options.suspend_seccomp = true;
		break;
	case OPT_JSON:
		targets->json = true;
		break;
	}
	return NULL;
}

static int usage_error(const struct vg_targets *targets, const char *sentence)
{
	vg_say("%s", sentence);
	fputs(targets->usage, stderr);
	return VG_USAGE;
}

static int take_subject(struct vg_targets *targets, int argc, char **argv)
{
	if (optind == argc)
		return usage_error(targets, "what to work on is missing");
	if (optind + 1 < argc)
		return usage_error(targets, "more than one patch was named");
	targets->subject = argv[optind];
	if (targets->all == (targets->pid_texts.count != 0))
		return usage_error(targets, "name the processes with --pid PID, or use --all");
	return -1;
}

int vg_targets_parse(struct vg_targets *targets, int argc, char **argv)
{
	int option;

	targets->options.timeout = DEFAULT_TIMEOUT;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			fputs(targets->usage, stdout);
			return VG_DONE;
		}
		if (option == '?') {
			fputs(targets->usage, stderr);
			return VG_USAGE;
		}
		struct vg_error *error = take_option(targets, option);
		if (error)
			return vg_fail(error);
	}
	return take_subject(targets, argc, argv);
}

void vg_targets_clear(struct vg_targets *targets)
{
	vg_list_clear(&targets->pid_texts);
}

static enum vg_outcome outcome_of(enum vg_code code)
{
	switch (code) {
	case VG_REFUSED:
		return VG_OUTCOME_REFUSED;
	case VG_BUSY:
		return VG_OUTCOME_BUSY;
	default:
		return VG_OUTCOME_FAILED;
	}
}

/* An error of the call becomes a result, so that every target has its line. */
static void note_error(const struct vg_error *error, struct vg_result *result)
{
	result->outcome = outcome_of(vg_error_code(error));
	result->rule = vg_error_rule(error);
	free(result->reason);
	result->reason = strdup(vg_error_text(error));
}

static enum vg_code take_error(struct vg_error *error, struct vg_result *result)
{
	enum vg_code code = vg_error_code(error);

	note_error(error, result);
	vg_error_free(error);
	return code;
}

/* `pid` 0: no process is known. */
static void print_failure(pid_t pid, const struct vg_error *error)
{
	struct vg_result result = {.pid = pid};

	note_error(error, &result);
	vg_print_json(vg_json_result(&result, NULL));
	vg_result_clear(&result);
}

int vg_targets_fail(const struct vg_targets *targets, struct vg_error *error)
{
	pid_t *pids = NULL;
	size_t count = 0;

	if (targets->json) {
		vg_error_free(vg_list_pids(&targets->pid_texts, &pids, &count));
		for (size_t i = 0; i < count; i++)
			print_failure(pids[i], error);
		if (count == 0)
			print_failure(0, error);
		free(pids);
	}
	return vg_fail(error);
}

static enum vg_code run_one(const struct vg_targets *targets, pid_t pid, vg_target_verb verb,
			    void *context, const struct vg_patch *patch)
{
	struct vg_result result = {.pid = pid};
	struct vg_error *error = verb(context, pid, &targets->options, &result);
	enum vg_code code = error ? take_error(error, &result) : vg_outcome_code(result.outcome);

	vg_say_result(&result);
	if (targets->json && vg_print_json(vg_json_result(&result, patch ? patch : result.object)))
		code = VG_FAILED;
	vg_result_clear(&result);
	return code;
}

int vg_targets_run(const struct vg_targets *targets, const pid_t *pids, size_t count,
		   vg_target_verb verb, void *context, const struct vg_patch *patch)
{
	enum vg_code code = VG_DONE;
	size_t done = 0;

	if (count == 0)
		vg_say("no process maps what this is about: nothing to do");
	for (size_t i = 0; i < count; i++) {
		enum vg_code one = run_one(targets, pids[i], verb, context, patch);

		if (one == VG_DONE)
			done++;
		else
			code = one;
	}
	return count > 1 && done < count ? VG_PARTIAL : (int)code;
}
