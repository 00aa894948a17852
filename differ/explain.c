/* SPDX-License-Identifier: MIT */
/* What the differ says about its decisions: --explain, notes, and refusals by a rule. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

static char *format_text(const char *format, va_list args)
{
	char *text = NULL;

	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

void vg_explain(struct vg_patch_build *build, const char *format, ...)
{
	va_list args;

	if (!build->request->explain)
		return;
	va_start(args, format);
	char *text = format_text(format, args);
	va_end(args);
	if (text)
		build->request->explain(build->request->explain_context, text);
	free(text);
}

static bool append_note(struct vg_build_result *result, char *text)
{
	char **notes = realloc(result->notes, (result->note_count + 1) * sizeof(*notes));

	if (!notes)
		return false;
	result->notes = notes;
	notes[result->note_count++] = text;
	return true;
}

struct vg_error *vg_note(struct vg_patch_build *build, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = format_text(format, args);
	va_end(args);
	if (text && append_note(build->result, text))
		return NULL;
	free(text);
	return vg_error_no_memory();
}

bool vg_is_allowed(const struct vg_patch_build *build, const char *rule)
{
	for (size_t i = 0; i < build->request->allow_count; i++)
		if (!strcmp(build->request->allow[i], rule))
			return true;
	return false;
}

static bool append_reason(struct vg_build_result *result, struct vg_reason reason)
{
	struct vg_reason *reasons =
		realloc(result->reasons, (result->reason_count + 1) * sizeof(*reasons));

	if (!reasons)
		return false;
	result->reasons = reasons;
	reasons[result->reason_count++] = reason;
	return true;
}

static struct vg_error *keep_reason(struct vg_patch_build *build, const char *rule,
				    const char *function, struct vg_source_place place,
				    const char *text)
{
	struct vg_reason reason = {
		.rule = rule,
		.function = function ? strdup(function) : NULL,
		.file = strdup(place.file),
		.line = place.line,
		.text = strdup(text),
	};

	if (reason.text && append_reason(build->result, reason))
		return vg_error_refuse(rule, "%s", text);
	free(reason.function);
	free(reason.file);
	free(reason.text);
	return vg_error_no_memory();
}

/* As compilers do: "FILE:LINE: what". */
static char *text_at(struct vg_source_place place, const char *format, va_list args)
{
	char *text = format_text(format, args), *whole = NULL;
	int length = -1;

	if (text && place.line)
		length = asprintf(&whole, "%s:%u: %s", place.file, place.line, text);
	else if (text)
		length = asprintf(&whole, "%s: %s", place.file, text);
	free(text);
	return length < 0 ? NULL : whole;
}

struct vg_error *vg_refuse(struct vg_patch_build *build, const char *rule, const char *function,
			   struct vg_source_place place, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = text_at(place, format, args);
	va_end(args);
	if (!text)
		return vg_error_no_memory();

	struct vg_error *error;

	vg_explain(build, "rule %s: %s", rule, text);
	if (vg_is_allowed(build, rule))
		error = vg_note(build, "allowed by --allow %s: %s", rule, text);
	else
		error = keep_reason(build, rule, function, place, text);
	free(text);
	return error;
}
