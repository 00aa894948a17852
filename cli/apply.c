/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli/patch_verb.h"
#include "cli/verbs.h"

static const char usage[] =
	"usage: vgraft apply OUT.vgp --pid PID|--all [--timeout S] [--strict] [--json]\n"
	"\n"
	"Splices a patch object into running processes.\n"
	"\n"
	"  --pid PID          a process; may be repeated, may hold a comma-separated list\n"
	"  --all              every process that maps the patch's build-id\n"
	"  --timeout S        seconds to look for a safe point (default 10, 0: one attempt)\n"
	"  --strict           refuse to hide a function of another patch\n"
	"  --suspend-seccomp  suspend the target's filters around injected calls\n"
	"  --json             one object for each process on standard output\n";

static struct vg_error *apply(void *context, pid_t pid, const struct vg_patch_options *options,
			      struct vg_result *result)
{
	return vg_apply(context, pid, options, result);
}

int vg_verb_apply(int argc, char **argv)
{
	return vg_patch_verb(argc, argv, usage, apply);
}
