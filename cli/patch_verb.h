/* SPDX-License-Identifier: MIT */
/* The verbs that take a patch object and processes: apply and check. */
#ifndef CLI_PATCH_VERB_H
#define CLI_PATCH_VERB_H

#include "cli/targets.h"

/* `verb` gets the patch as its context. Returns the exit code. */
int vg_patch_verb(int argc, char **argv, const char *usage, vg_target_verb verb);

#endif
