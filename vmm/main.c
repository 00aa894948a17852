/* SPDX-License-Identifier: MIT */
#include "vmm/error.h"
#include "vmm/run.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *does;
};

static const struct verb verbs[] = {
	{"run", vmm_run, "run a guest"},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void usage(FILE *to)
{
	fprintf(to, "usage: vgraft-vmm VERB [OPTION ...]\n\n");
	for (size_t i = 0; i < VERBS; i++)
		fprintf(to, "  %-6s %s\n", verbs[i].name, verbs[i].does);
	fprintf(to, "\nvgraft-vmm VERB --help tells more, vgraft-vmm(1) tells all.\n");
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return VMM_EXIT_USAGE;
	}
	if (is_help(argv[1])) {
		usage(stdout);
		return VMM_EXIT_DONE;
	}
	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	fprintf(stderr, "vgraft-vmm: %s is not a verb: see vgraft-vmm --help\n", argv[1]);
	return VMM_EXIT_USAGE;
}
