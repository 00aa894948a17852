/* SPDX-License-Identifier: MIT */
/* What the verbs say: sentences on stderr, and with --json one object per line on stdout. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <jansson.h>
#include <stddef.h>

#include <vgraft/error.h>
#include <vgraft/patcher.h>

#include "common/patch_object.h"

/* `vgraft: SENTENCE` on stderr. */
void vg_say(const char *format, ...) VG_PRINTF(1, 2);
/* Prints the error, frees it, returns its exit code. */
int vg_fail(struct vg_error *error);

/* Prints one line of JSON and releases it. Returns VG_FAILED if stdout cannot take it. */
int vg_print_json(json_t *object);

/* Functions of a patch in the form that all verbs share: name, file, kind, size, parts. */
json_t *vg_json_functions(const struct vg_patch *patch);
json_t *vg_json_strings(char *const *strings, size_t count);
/* The string, or null. Bytes that are not UTF-8 are replaced: a path may hold any. */
json_t *vg_json_text(const char *text);
/* A result of apply, check or revert. `patch` may be NULL: then `functions` is empty. */
json_t *vg_json_result(const struct vg_result *result, const struct vg_patch *patch);
/* The same as a sentence. */
void vg_say_result(const struct vg_result *result);

enum vg_code vg_outcome_code(enum vg_outcome outcome);

#endif
