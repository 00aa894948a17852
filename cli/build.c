/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vgraft/differ.h>
#include <vgraft/rules.h>

#include "cli/build_answer.h"
#include "cli/list.h"
#include "cli/manifest.h"
#include "cli/report.h"
#include "cli/verbs.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "differ/capture.h"

static const char usage[] =
	"usage: vgraft build --source DIR --diff FILE --target ELF --name NAME -o OUT.vgp\n"
	"                    [OPTION...] [-- BUILD COMMAND]\n"
	"       vgraft build --manifest FILE [--work DIR] [--target ELF] -o OUT.vgp\n"
	"\n"
	"Makes a patch object from a source diff and the program that runs.\n"
	"\n"
	"  --source DIR     the source tree that the target was built from\n"
	"  --diff FILE      what to change (git diff or diff -u); may be repeated\n"
	"  --target ELF     the program or shared library that runs\n"
	"  --symbols ELF    its separate debug file, or an unstripped twin\n"
	"  --manifest FILE  make it from a distribution's package, as FILE says\n"
	"  --work DIR       with --manifest: where packages are unpacked and configured\n"
	"                   (default: build/packages)\n"
	"  --compdb FILE    compile_commands.json (default: looked for in DIR and beside ELF)\n"
	"  --name NAME      what the patch is called, [A-Za-z0-9._+-]{1,63}\n"
	"  --cve ID         what it repairs; may be repeated\n"
	"  --depends NAME   a patch that must be applied already; may be repeated\n"
	"  --depends-object FILE  the object of such a patch, whose fix the source has\n"
	"  --replace        takes out all other patches in the same stop\n"
	"  --hooks FILE.c   hooks that run in the target; may be repeated\n"
	"  --allow RULE     go on although the rule refuses; may be repeated\n"
	"  --keep-temp      keep the private build directory and say where it is\n"
	"  --explain        say why, for each decision\n"
	"  --json           one object on standard output\n"
	"  -o OUT.vgp       the patch object to write\n"
	"\n"
	"With a build command behind --, the compile commands are captured from running it.\n";

struct build_options {
	struct vg_build_request request;
	struct vg_list diffs, compdbs, cves, depends, depend_objects, hooks, allow;
	const char *manifest, *work;
	struct vg_manifest_request from_manifest;
	char *cve;
	char *captured; /* compile_commands.json from `-- BUILD COMMAND` */
	bool json, explain;
};

enum {
	OPT_SOURCE = 256,
	OPT_DIFF,
	OPT_TARGET,
	OPT_SYMBOLS,
	OPT_COMPDB,
	OPT_MANIFEST,
	OPT_WORK,
	OPT_NAME,
	OPT_CVE,
	OPT_DEPENDS,
	OPT_DEPENDS_OBJECT,
	OPT_REPLACE,
	OPT_HOOKS,
	OPT_ALLOW,
	OPT_KEEP_TEMP,
	OPT_EXPLAIN,
	OPT_JSON,
	OPT_HELP,
};

static const struct option long_options[] = {
	{"source", required_argument, NULL, OPT_SOURCE},
	{"diff", required_argument, NULL, OPT_DIFF},
	{"target", required_argument, NULL, OPT_TARGET},
	{"symbols", required_argument, NULL, OPT_SYMBOLS},
	{"compdb", required_argument, NULL, OPT_COMPDB},
	{"manifest", required_argument, NULL, OPT_MANIFEST},
	{"work", required_argument, NULL, OPT_WORK},
	{"name", required_argument, NULL, OPT_NAME},
	{"cve", required_argument, NULL, OPT_CVE},
	{"depends", required_argument, NULL, OPT_DEPENDS},
	{"depends-object", required_argument, NULL, OPT_DEPENDS_OBJECT},
	{"replace", no_argument, NULL, OPT_REPLACE},
	{"hooks", required_argument, NULL, OPT_HOOKS},
	{"allow", required_argument, NULL, OPT_ALLOW},
	{"keep-temp", no_argument, NULL, OPT_KEEP_TEMP},
	{"explain", no_argument, NULL, OPT_EXPLAIN},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};

static void options_clear(struct build_options *options)
{
	vg_list_clear(&options->diffs);
	vg_list_clear(&options->compdbs);
	vg_list_clear(&options->cves);
	vg_list_clear(&options->depends);
	vg_list_clear(&options->depend_objects);
	vg_list_clear(&options->hooks);
	vg_list_clear(&options->allow);
	free(options->cve);
	vg_compdb_capture_remove(options->captured);
	vg_manifest_request_clear(&options->from_manifest);
}

static void explain_line(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "explain: %s\n", line);
}

static struct vg_error *take_list_option(struct build_options *options, int option)
{
	switch (option) {
	case OPT_DIFF:
		return vg_list_add_files(&options->diffs, "--diff", optarg);
	case OPT_COMPDB:
		return vg_list_add_files(&options->compdbs, "--compdb", optarg);
	case OPT_CVE:
		return vg_list_add(&options->cves, "--cve", optarg);
	case OPT_DEPENDS:
		return vg_list_add(&options->depends, "--depends", optarg);
	case OPT_DEPENDS_OBJECT:
		return vg_list_add(&options->depend_objects, "--depends-object", optarg);
	case OPT_HOOKS:
		return vg_list_add_files(&options->hooks, "--hooks", optarg);
	case OPT_ALLOW:
		return vg_list_add(&options->allow, "--allow", optarg);
	}
	return NULL;
}

static void take_plain_option(struct build_options *options, int option)
{
	struct vg_build_request *request = &options->request;

	switch (option) {
	case OPT_SOURCE:
		request->source = optarg;
		break;
	case OPT_TARGET:
		request->target = optarg;
		break;
	case OPT_SYMBOLS:
		request->symbols = optarg;
		break;
	case OPT_MANIFEST:
		options->manifest = optarg;
		break;
	case OPT_WORK:
		options->work = optarg;
		break;
	case OPT_NAME:
		request->name = optarg;
		break;
	case OPT_REPLACE:
		request->replace = true;
		break;
	case OPT_KEEP_TEMP:
		request->keep_temp = true;
		break;
	case OPT_EXPLAIN:
		request->explain = explain_line;
		break;
	case OPT_JSON:
		options->json = true;
		break;
	case 'o':
		request->output = optarg;
		break;
	}
}

/* A misspelt rule would allow nothing and say nothing. */
static struct vg_error *check_rules(const struct vg_list *allow)
{
	static const char *const rules[] = {
		VG_RULE_LAYOUT,	      VG_RULE_DATA,	 VG_RULE_REMOVED, VG_RULE_CONSTRUCTOR,
		VG_RULE_OPS_TABLE,    VG_RULE_SIGNATURE, VG_RULE_ENDLESS, VG_RULE_SHORT_ENTRY,
		VG_RULE_THREAD_LOCAL, VG_RULE_IFUNC,	 VG_RULE_LTO,	  VG_RULE_AMBIGUOUS,
		VG_RULE_MISMATCH,     VG_RULE_COMPILER,	 VG_RULE_SECCOMP, VG_RULE_SHADOW,
	};

	for (size_t i = 0; i < allow->count; i++) {
		size_t rule = 0, count = sizeof(rules) / sizeof(rules[0]);

		while (rule < count && strcmp(rules[rule], allow->items[i]) != 0)
			rule++;
		if (rule == count)
			return vg_error_new(VG_USAGE,
					    "--allow: there is no rule '%s'; vgraft-build(1) lists "
					    "them",
					    allow->items[i]);
	}
	return NULL;
}

static struct vg_error *check_name(const char *name)
{
	if (vg_patch_name_is_valid(name))
		return NULL;
	return vg_error_new(VG_USAGE,
			    "'%s' is no name for a patch; use 1 to 63 of A-Z a-z 0-9 . _ + - and "
			    "begin with none of '.' and '-'",
			    name);
}

/* What a manifest says is not said a second time: which of the two would count? */
static struct vg_error *check_manifest(const struct build_options *options)
{
	const struct vg_build_request *request = &options->request;
	const struct {
		bool given;
		const char *option;
	} said[] = {
		{request->source, "--source"},
		{options->diffs.count, "--diff"},
		{options->compdbs.count, "--compdb"},
		{request->symbols, "--symbols"},
		{request->name, "--name"},
		{options->cves.count, "--cve"},
		{options->depends.count, "--depends"},
		{options->hooks.count, "--hooks"},
		{request->replace, "--replace"},
	};

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (said[i].given)
			return vg_error_new(VG_USAGE,
					    "%s cannot stand beside --manifest, which says "
					    "it itself",
					    said[i].option);
	if (!request->output)
		return vg_error_new(VG_USAGE, "-o OUT.vgp is missing");
	return check_rules(&options->allow);
}

static struct vg_error *check_required(const struct build_options *options)
{
	const struct vg_build_request *request = &options->request;

	if (options->manifest)
		return check_manifest(options);
	if (options->work)
		return vg_error_new(VG_USAGE, "--work is for --manifest only");
	if (!request->source)
		return vg_error_new(VG_USAGE, "--source DIR is missing");
	if (!options->diffs.count)
		return vg_error_new(VG_USAGE, "--diff FILE is missing");
	if (!request->target)
		return vg_error_new(VG_USAGE, "--target ELF is missing");
	if (!request->name)
		return vg_error_new(VG_USAGE, "--name NAME is missing");
	if (!request->output)
		return vg_error_new(VG_USAGE, "-o OUT.vgp is missing");
	VG_TRY(check_name(request->name));
	for (size_t i = 0; i < options->depends.count; i++)
		VG_TRY(check_name(options->depends.items[i]));
	return check_rules(&options->allow);
}

static struct vg_error *join_cves(struct build_options *options)
{
	size_t length = 1;

	if (!options->cves.count)
		return NULL;
	for (size_t i = 0; i < options->cves.count; i++)
		length += strlen(options->cves.items[i]) + 1;
	options->cve = calloc(1, length);
	if (!options->cve)
		return vg_error_no_memory();
	for (size_t i = 0; i < options->cves.count; i++) {
		if (i)
			strcat(options->cve, ",");
		strcat(options->cve, options->cves.items[i]);
	}
	options->request.cve = options->cve;
	return NULL;
}

static void fill_lists(struct build_options *options)
{
	struct vg_build_request *request = &options->request;

	request->diffs = (const char **)options->diffs.items;
	request->diff_count = options->diffs.count;
	request->compdbs = (const char **)options->compdbs.items;
	request->compdb_count = options->compdbs.count;
	request->depends = (const char **)options->depends.items;
	request->depend_count = options->depends.count;
	request->depend_objects = (const char **)options->depend_objects.items;
	request->depend_object_count = options->depend_objects.count;
	request->hooks = (const char **)options->hooks.items;
	request->hook_count = options->hooks.count;
	request->allow = (const char **)options->allow.items;
	request->allow_count = options->allow.count;
}

/* `-- BUILD COMMAND`: runs it once under a recorder, and uses what it recorded. */
static struct vg_error *capture(struct build_options *options, int argc, char **argv)
{
	if (optind == argc)
		return NULL;
	if (strcmp(argv[optind - 1], "--") != 0)
		return vg_error_new(VG_USAGE, "build takes no argument '%s'", argv[optind]);
	VG_TRY(vg_compdb_capture(argv + optind, options->request.source, &options->captured));
	return vg_list_add_files(&options->compdbs, "--compdb", options->captured);
}

static int usage_error(struct vg_error *error)
{
	int code = vg_fail(error);

	fputs(usage, stderr);
	return code;
}

/* An error without a rule (the diff does not apply, a file is missing) is a reason all the same. */
static void add_error_reason(const struct vg_error *error, struct vg_build_result *result)
{
	if (result->reason_count)
		return;
	result->reasons = calloc(1, sizeof(*result->reasons));
	if (!result->reasons)
		return;
	result->reason_count = 1;
	result->reasons[0].rule = vg_error_rule(error);
	result->reasons[0].text = strdup(vg_error_text(error));
}

static int fail(struct vg_error *error, struct vg_build_result *result)
{
	result->outcome = vg_error_code(error) == VG_REFUSED ? VG_BUILD_REFUSED : VG_BUILD_FAILED;
	add_error_reason(error, result);
	return vg_fail(error);
}

/* What has to be there before the build: the CVEs in one string, the captured commands. */
static struct vg_error *prepare(struct build_options *options, int argc, char **argv)
{
	VG_TRY(join_cves(options));
	VG_TRY(capture(options, argc, argv));
	fill_lists(options);
	if (!options->manifest)
		return NULL;
	VG_TRY(vg_manifest_request_read(&options->from_manifest, options->manifest,
					&options->request));
	return vg_manifest_request_fill(&options->from_manifest, options->work ?: "build/packages",
					&options->request);
}

static int run(struct build_options *options, int argc, char **argv)
{
	const struct vg_manifest_request *package =
		options->manifest ? &options->from_manifest : NULL;
	struct vg_build_result result = {0};
	struct vg_error *error = prepare(options, argc, argv);
	int code = VG_DONE;

	if (!error)
		error = vg_build(&options->request, &result);
	for (size_t i = 0; i < result.note_count; i++)
		vg_say("note: %s", result.notes[i]);
	if (result.temp)
		vg_say("the private build directory was kept: %s", result.temp);
	if (error)
		code = fail(error, &result);
	else
		vg_build_say(&options->request, &result);
	if (options->json && vg_print_json(vg_build_answer(&options->request, package, &result)))
		code = VG_FAILED;
	vg_build_result_clear(&result);
	return code;
}

/* Returns -1 to go on, or an exit code. */
static int parse(struct build_options *options, int argc, char **argv)
{
	struct vg_error *error;
	int option;

	while ((option = getopt_long(argc, argv, "+o:", long_options, NULL)) != -1) {
		if (option == OPT_HELP) {
			fputs(usage, stdout);
			return VG_DONE;
		}
		if (option == '?') {
			fputs(usage, stderr);
			return VG_USAGE;
		}
		take_plain_option(options, option);
		error = take_list_option(options, option);
		if (error)
			return usage_error(error);
	}
	error = check_required(options);
	if (error)
		return usage_error(error);
	return -1;
}

int vg_verb_build(int argc, char **argv)
{
	_cleanup_(options_clear) struct build_options options = {
		.from_manifest.package.lock = -1,
	};
	int code = parse(&options, argc, argv);

	return code >= 0 ? code : run(&options, argc, argv);
}
