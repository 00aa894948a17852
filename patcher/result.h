/* SPDX-License-Identifier: MIT */
/* Filling of struct vg_result (<vgraft/patcher.h>). Running out of memory here loses words only. */
#ifndef PATCHER_RESULT_H
#define PATCHER_RESULT_H

#include <stdint.h>

#include <vgraft/error.h>
#include <vgraft/patcher.h>

#include "patcher/stop.h"

void vg_result_start(struct vg_result *result, pid_t pid, const char *patch);
void vg_result_note(struct vg_result *result, const char *format, ...) VG_PRINTF(2, 3);
/* A patch that this one takes out. */
void vg_result_replaced(struct vg_result *result, const char *patch);
void vg_result_hides(struct vg_result *result, const char *patch, const char *function);
/* For a stop whose failure is no failure of the verb. */
void vg_result_forget_blockers(struct vg_result *result);
/*
 * Adds one stop: times, counts. Its blocker, which is taken from `report`, replaces those of
 * earlier stops, unless the caller says to `keep` them.
 */
void vg_result_add_stop(struct vg_result *result, struct vg_stop_report *report, bool keep);
/*
 * Refused and busy become outcomes and are no errors any more; other errors are handed on. In all
 * cases `reason` has the sentence.
 */
VG_MUST_CHECK struct vg_error *vg_result_conclude(struct vg_result *result, struct vg_error *error);

#endif
