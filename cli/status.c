/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/list.h"
#include "cli/report.h"
#include "cli/verbs.h"
#include "common/cleanup.h"
#include "common/patch_object.h"

static const char usage[] =
	"usage: vgraft status [--pid PID] [--json]\n"
	"       vgraft status --pid PID --symbols FILE\n"
	"\n"
	"Shows what is applied where. Changes nothing and stops nobody.\n"
	"\n"
	"  --pid PID  a process; may be repeated, may hold a comma-separated list\n"
	"             (default: every process in which a patch is found)\n"
	"  --json     one object for each process and patch on standard output\n"
	"  --symbols FILE\n"
	"             writes an ELF file with the symbols and the unwind information of the\n"
	"             patches of one process, for gdb's add-symbol-file\n";

struct status_options {
	struct vg_list pid_texts;
	const char *symbols;
	bool json;
};

enum { OPT_PID = 256, OPT_JSON, OPT_SYMBOLS, OPT_HELP };

static const struct option long_options[] = {
	{"pid", required_argument, NULL, OPT_PID},
	{"json", no_argument, NULL, OPT_JSON},
	{"symbols", required_argument, NULL, OPT_SYMBOLS},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static const char *state_word(const struct vg_applied *applied)
{
	return applied->interrupted ? "interrupted" : "applied";
}

static json_t *json_applied(const struct vg_applied *applied)
{
	json_t *object = json_object();

	json_object_set_new(object, "pid", json_integer(applied->pid));
	json_object_set_new(object, "exe", vg_json_text(applied->exe));
	json_object_set_new(object, "build_id", vg_json_text(applied->build_id));
	json_object_set_new(object, "patch", vg_json_text(applied->patch));
	json_object_set_new(object, "state", json_string(state_word(applied)));
	json_object_set_new(object, "functions", vg_json_functions(applied->object));
	return object;
}

/* What could not be looked at has no state; the reason says why. */
static json_t *json_failure(pid_t pid, const struct vg_error *error)
{
	json_t *object = json_object();

	json_object_set_new(object, "pid", json_integer(pid));
	json_object_set_new(object, "exe", json_null());
	json_object_set_new(object, "build_id", json_null());
	json_object_set_new(object, "patch", json_null());
	json_object_set_new(object, "state", json_null());
	json_object_set_new(object, "functions", json_array());
	json_object_set_new(object, "result",
			    json_string(vg_error_code(error) == VG_REFUSED ? "refused" : "failed"));
	json_object_set_new(object, "reason", vg_json_text(vg_error_text(error)));
	return object;
}

static void print_applied(const struct vg_applied *applied)
{
	const struct vg_patch *patch = applied->object;

	printf("%d %s %s %s\n", applied->pid, applied->patch, state_word(applied), applied->exe);
	for (size_t i = 0; patch && i < patch->function_count; i++)
		printf("    %s  %s  (%s)\n", vg_patch_string(patch, patch->functions[i].name),
		       vg_patch_string(patch, patch->functions[i].file),
		       patch->functions[i].kind == VGP_NEW ? "new" : "changed");
}

static int report_one(const struct status_options *options, pid_t pid)
{
	struct vg_status status = {0};
	struct vg_error *error = vg_status_read(pid, &status);
	int code = VG_DONE;

	if (error && options->json)
		vg_print_json(json_failure(pid, error));
	if (error)
		return vg_fail(error);
	if (status.count == 0 && options->pid_texts.count)
		vg_say("process %d: no patch is applied", pid);
	for (size_t i = 0; i < status.count; i++) {
		if (!options->json)
			print_applied(&status.applied[i]);
		else if (vg_print_json(json_applied(&status.applied[i])))
			code = VG_FAILED;
	}
	vg_status_clear(&status);
	return code;
}

static int report_all(const struct status_options *options, const pid_t *pids, size_t count)
{
	int code = VG_DONE;
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		int one = report_one(options, pids[i]);

		if (one == VG_DONE)
			done++;
		else
			code = one;
	}
	return count > 1 && done < count ? VG_PARTIAL : code;
}

static int write_symbols(const struct status_options *options, const pid_t *pids, size_t count)
{
	const char *path = options->symbols;
	_cleanup_free_ uint8_t *bytes = NULL;
	struct vg_error *error;
	size_t byte_count;

	if (count != 1) {
		vg_say("--symbols needs one --pid: addresses differ from process to process");
		return VG_USAGE;
	}
	error = vg_status_symbols(pids[0], &bytes, &byte_count);
	if (!error && !bytes)
		vg_say("process %d: no patch is applied; %s was not written", pids[0], path);
	if (!error && bytes)
		error = vg_write_file_atomically(path, bytes, byte_count);
	if (error && options->json)
		vg_print_json(json_failure(pids[0], error));
	if (error)
		return vg_fail(error);
	if (bytes)
		vg_say("wrote %s; in gdb: add-symbol-file %s", path, path);
	return VG_DONE;
}

/* Returns -1 to go on, or an exit code. */
static int parse(struct status_options *options, int argc, char **argv)
{
	struct vg_error *error = NULL;
	int option;

	while (!error && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case OPT_PID:
			error = vg_list_add(&options->pid_texts, "--pid", optarg);
			break;
		case OPT_JSON:
			options->json = true;
			break;
		case OPT_SYMBOLS:
			options->symbols = optarg;
			break;
		case OPT_HELP:
			fputs(usage, stdout);
			return VG_DONE;
		default:
			fputs(usage, stderr);
			return VG_USAGE;
		}
	}
	if (error)
		return vg_fail(error);
	if (optind < argc) {
		vg_say("status takes no argument '%s'", argv[optind]);
		fputs(usage, stderr);
		return VG_USAGE;
	}
	return -1;
}

static void options_clear(struct status_options *options)
{
	vg_list_clear(&options->pid_texts);
}

int vg_verb_status(int argc, char **argv)
{
	_cleanup_(options_clear) struct status_options options = {0};
	_cleanup_free_ pid_t *pids = NULL;
	size_t count;
	int code = parse(&options, argc, argv);

	if (code >= 0)
		return code;
	struct vg_error *error = options.pid_texts.count
					 ? vg_list_pids(&options.pid_texts, &pids, &count)
					 : vg_find_patched(NULL, &pids, &count);
	if (error)
		return vg_fail(error);
	if (options.symbols) {
		code = write_symbols(&options, pids, options.pid_texts.count ? count : 0);
		if (code != VG_DONE)
			return code;
	}
	if (count == 0)
		vg_say("no process has a patch");
	return report_all(&options, pids, count);
}
