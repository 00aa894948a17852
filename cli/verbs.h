/* SPDX-License-Identifier: MIT */
/* One function for each verb, each in the file of its name. Arguments as main()'s, verb first. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include <vgraft/error.h>

/* Each returns an exit code (enum vg_code). */
int vg_verb_build(int argc, char **argv);
int vg_verb_inspect(int argc, char **argv);
int vg_verb_check(int argc, char **argv);
int vg_verb_apply(int argc, char **argv);
int vg_verb_revert(int argc, char **argv);
int vg_verb_status(int argc, char **argv);

#endif
