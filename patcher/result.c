/* SPDX-License-Identifier: MIT */
#include "patcher/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/patch_object.h"

const char *vg_outcome_word(enum vg_outcome outcome)
{
	static const char *const words[] = {
		[VG_OUTCOME_APPLIED] = "applied",   [VG_OUTCOME_ALREADY] = "already",
		[VG_OUTCOME_REVERTED] = "reverted", [VG_OUTCOME_OK] = "ok",
		[VG_OUTCOME_REFUSED] = "refused",   [VG_OUTCOME_BUSY] = "busy",
		[VG_OUTCOME_FAILED] = "failed",
	};

	return words[outcome];
}

void vg_result_start(struct vg_result *result, pid_t pid, const char *patch)
{
	*result = (struct vg_result){
		.pid = pid, .patch = strdup(patch), .outcome = VG_OUTCOME_FAILED};
}

void vg_result_forget_blockers(struct vg_result *result)
{
	for (size_t i = 0; i < result->blocker_count; i++)
		vg_blocker_clear(&result->blockers[i]);
	free(result->blockers);
	result->blockers = NULL;
	result->blocker_count = 0;
}

void vg_result_clear(struct vg_result *result)
{
	vg_result_forget_blockers(result);
	for (size_t i = 0; i < result->hide_count; i++) {
		free(result->hides[i].patch);
		free(result->hides[i].function);
	}
	for (size_t i = 0; i < result->note_count; i++)
		free(result->notes[i]);
	for (size_t i = 0; i < result->replaced_count; i++)
		free(result->replaced[i]);
	free(result->replaced);
	free(result->hides);
	free(result->notes);
	free(result->patch);
	free(result->reason);
	vg_patch_free(result->object);
	*result = (struct vg_result){0};
}

void vg_result_note(struct vg_result *result, const char *format, ...)
{
	char **notes = reallocarray(result->notes, result->note_count + 1, sizeof(*notes));
	char *text = NULL;
	va_list args;

	if (!notes)
		return;
	result->notes = notes;
	va_start(args, format);
	if (vasprintf(&text, format, args) >= 0)
		notes[result->note_count++] = text;
	va_end(args);
}

void vg_result_replaced(struct vg_result *result, const char *patch)
{
	char **replaced =
		reallocarray(result->replaced, result->replaced_count + 1, sizeof(*replaced));
	char *copy = replaced ? strdup(patch) : NULL;

	if (replaced)
		result->replaced = replaced;
	if (copy)
		replaced[result->replaced_count++] = copy;
}

void vg_result_hides(struct vg_result *result, const char *patch, const char *function)
{
	struct vg_hidden *hides =
		reallocarray(result->hides, result->hide_count + 1, sizeof(*hides));

	if (!hides)
		return;
	result->hides = hides;
	hides[result->hide_count++] =
		(struct vg_hidden){.patch = strdup(patch), .function = strdup(function)};
}

static void set_blocker(struct vg_result *result, struct vg_stop_report *report, bool keep)
{
	if (keep)
		return;
	vg_result_forget_blockers(result);
	if (report->outcome == VG_STOP_DONE || (!report->blocker.tid && !report->blocker.coroutine))
		return;
	result->blockers = malloc(sizeof(*result->blockers));
	if (!result->blockers)
		return;
	result->blockers[0] = report->blocker;
	result->blocker_count = 1;
	report->blocker = (struct vg_blocker){0};
}

void vg_result_add_stop(struct vg_result *result, struct vg_stop_report *report, bool keep)
{
	double pause = (double)report->pause / 1000.0;

	set_blocker(result, report, keep);
	if (!report->pause)
		return; /* nobody was stopped */
	result->stops++;
	result->pause_us += pause;
	if (pause > result->pause_max_us)
		result->pause_max_us = pause;
	result->threads = report->threads;
	result->coroutines = report->coroutines;
}

struct vg_error *vg_result_conclude(struct vg_result *result, struct vg_error *error)
{
	if (!error)
		return NULL;
	free(result->reason);
	result->reason = strdup(vg_error_text(error));
	result->rule = vg_error_rule(error);
	switch (vg_error_code(error)) {
	case VG_REFUSED:
		result->outcome = VG_OUTCOME_REFUSED;
		break;
	case VG_BUSY:
		result->outcome = VG_OUTCOME_BUSY;
		break;
	default:
		result->outcome = VG_OUTCOME_FAILED;
		return error;
	}
	vg_error_free(error);
	return NULL;
}
