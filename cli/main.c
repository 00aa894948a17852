/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cli/verbs.h"

#ifndef VGRAFT_VERSION
#define VGRAFT_VERSION "0.1"
#endif

struct verb {
	const char *name;
	const char *does;
	int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
	{"build", "make a patch object from a source diff and a target", vg_verb_build},
	{"inspect", "show what a patch object changes", vg_verb_inspect},
	{"check", "dry run: would the patch go in now?", vg_verb_check},
	{"apply", "splice a patch into running processes", vg_verb_apply},
	{"revert", "take a patch out again", vg_verb_revert},
	{"status", "show what is applied where", vg_verb_status},
};

static void print_usage(FILE *stream)
{
	fprintf(stream, "usage: vgraft VERB [OPTION...]\n\nverbs:\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(stream, "  %-8s %s\n", verbs[i].name, verbs[i].does);
	fprintf(stream, "\n`vgraft VERB --help` tells the options of a verb.\n");
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* A full disk or a closed pipe behind stdout must not pass for success. */
static int check_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (code != VG_DONE)
		return code;
	fprintf(stderr, "vgraft: cannot write to standard output\n");
	return VG_FAILED;
}

/* getopt(3) begins its sentences with argv[0]: let it say which command speaks. */
static int run_verb(const struct verb *verb, int argc, char **argv)
{
	char speaker[32];

	snprintf(speaker, sizeof(speaker), "vgraft %s", verb->name);
	argv[0] = speaker;
	return check_output(verb->run(argc, argv));
}

int main(int argc, char **argv)
{
	const struct verb *verb;

	if (argc < 2) {
		print_usage(stderr);
		return VG_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return VG_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("vgraft %s\n", VGRAFT_VERSION);
		return VG_DONE;
	}
	verb = find_verb(argv[1]);
	if (!verb) {
		fprintf(stderr, "vgraft: there is no verb '%s'; see vgraft --help\n", argv[1]);
		return VG_USAGE;
	}
	return run_verb(verb, argc - 1, argv + 1);
}
