/* SPDX-License-Identifier: MIT */
#include "cli/report.h"

#include <stdio.h>
#include <string.h>

void vg_say(const char *format, ...)
{
	va_list args;

	fputs("vgraft: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int vg_fail(struct vg_error *error)
{
	int code = vg_error_code(error);

	vg_say("%s", vg_error_text(error));
	vg_error_free(error);
	return code;
}

int vg_print_json(json_t *object)
{
	int failed = !object ||
		     json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(10)) < 0 ||
		     putchar('\n') < 0 || fflush(stdout) != 0;

	json_decref(object);
	if (!failed)
		return VG_DONE;
	vg_say("cannot write JSON to standard output");
	return VG_FAILED;
}

json_t *vg_json_text(const char *text)
{
	if (!text)
		return json_null();
	json_t *string = json_string(text);
	if (string)
		return string;

	/* Not UTF-8: keep what is ASCII, so that the line stays one that a parser accepts. */
	char *copy = strdup(text);
	if (!copy)
		return json_null();
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

json_t *vg_json_strings(char *const *strings, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, vg_json_text(strings[i]));
	return array;
}

static json_t *json_parts(const struct vg_patch *patch, size_t function)
{
	json_t *array = json_array();

	for (size_t i = 0; i < patch->part_count; i++)
		if (patch->parts[i].function == function)
			json_array_append_new(
				array, vg_json_text(vg_patch_string(patch, patch->parts[i].name)));
	return array;
}

json_t *vg_json_functions(const struct vg_patch *patch)
{
	json_t *array = json_array();

	for (size_t i = 0; patch && i < patch->function_count; i++) {
		const struct vgp_function *function = &patch->functions[i];
		json_t *object = json_object();

		json_object_set_new(object, "name",
				    vg_json_text(vg_patch_string(patch, function->name)));
		json_object_set_new(object, "file",
				    vg_json_text(vg_patch_string(patch, function->file)));
		json_object_set_new(object, "kind",
				    json_string(function->kind == VGP_NEW ? "new" : "changed"));
		json_object_set_new(object, "size", json_integer(function->new_bytes));
		json_object_set_new(object, "parts", json_parts(patch, i));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *json_blockers(const struct vg_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->blocker_count; i++) {
		const struct vg_blocker *blocker = &result->blockers[i];
		json_t *object = json_object();

		if (blocker->coroutine)
			json_object_set_new(
				object, "coroutine",
				json_sprintf("0x%lx", (unsigned long)blocker->coroutine));
		else
			json_object_set_new(object, "tid", json_integer(blocker->tid));
		json_object_set_new(object, "name", vg_json_text(blocker->name));
		json_object_set_new(object, "function", vg_json_text(blocker->function));
		json_object_set_new(object, "backtrace",
				    vg_json_strings(blocker->backtrace, blocker->backtrace_count));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *json_hides(const struct vg_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->hide_count; i++) {
		json_t *object = json_object();

		json_object_set_new(object, "patch", vg_json_text(result->hides[i].patch));
		json_object_set_new(object, "function", vg_json_text(result->hides[i].function));
		json_array_append_new(array, object);
	}
	return array;
}

/* Microseconds with one decimal: what the clock can tell. */
static json_t *json_us(double us)
{
	return json_real((double)(long long)(us * 10 + 0.5) / 10);
}

json_t *vg_json_result(const struct vg_result *result, const struct vg_patch *patch)
{
	json_t *object = json_object();

	json_object_set_new(object, "pid", result->pid ? json_integer(result->pid) : json_null());
	json_object_set_new(object, "patch", vg_json_text(result->patch));
	json_object_set_new(object, "result", json_string(vg_outcome_word(result->outcome)));
	json_object_set_new(object, "reason", vg_json_text(result->reason));
	if (result->rule)
		json_object_set_new(object, "rule", json_string(result->rule));
	json_object_set_new(object, "pause_us", json_us(result->pause_us));
	json_object_set_new(object, "pause_max_us", json_us(result->pause_max_us));
	json_object_set_new(object, "inject_us", json_us(result->inject_us));
	json_object_set_new(object, "hook_us", json_us(result->hook_us));
	json_object_set_new(object, "stops", json_integer(result->stops));
	json_object_set_new(object, "threads", json_integer(result->threads));
	json_object_set_new(object, "coroutines", json_integer(result->coroutines));
	json_object_set_new(object, "recovered", json_boolean(result->recovered));
	json_object_set_new(object, "functions", vg_json_functions(patch));
	json_object_set_new(object, "blockers", json_blockers(result));
	json_object_set_new(object, "hides", json_hides(result));
	json_object_set_new(object, "replaced",
			    vg_json_strings(result->replaced, result->replaced_count));
	json_object_set_new(object, "notes", vg_json_strings(result->notes, result->note_count));
	return object;
}

static void say_backtrace(const struct vg_blocker *blocker)
{
	for (size_t i = 0; i < blocker->backtrace_count; i++)
		fprintf(stderr, "    #%zu %s\n", i, blocker->backtrace[i]);
}

static void say_blockers(const struct vg_result *result)
{
	for (size_t i = 0; i < result->blocker_count; i++) {
		const struct vg_blocker *blocker = &result->blockers[i];

		if (blocker->coroutine)
			fprintf(stderr, "  coroutine 0x%lx is in %s\n",
				(unsigned long)blocker->coroutine,
				blocker->function ? blocker->function : "unknown code");
		else
			fprintf(stderr, "  thread %d (%s) is in %s\n", blocker->tid,
				blocker->name ? blocker->name : "?",
				blocker->function ? blocker->function : "unknown code");
		say_backtrace(blocker);
	}
}

void vg_say_result(const struct vg_result *result)
{
	const char *patch = result->patch ? result->patch : "?";

	if (result->recovered)
		vg_say("process %d: an interrupted run was found and cleaned up", result->pid);
	for (size_t i = 0; i < result->hide_count; i++)
		vg_say("process %d: %s hides %s of patch %s", result->pid, patch,
		       result->hides[i].function, result->hides[i].patch);
	for (size_t i = 0; i < result->note_count; i++)
		vg_say("process %d: %s", result->pid, result->notes[i]);
	if (result->reason)
		vg_say("process %d: patch %s: %s: %s", result->pid, patch,
		       vg_outcome_word(result->outcome), result->reason);
	else
		vg_say("process %d: patch %s: %s (pause %.0f us, %u threads, %u stops)",
		       result->pid, patch, vg_outcome_word(result->outcome), result->pause_us,
		       result->threads, result->stops);
	say_blockers(result);
}

enum vg_code vg_outcome_code(enum vg_outcome outcome)
{
	switch (outcome) {
	case VG_OUTCOME_REFUSED:
		return VG_REFUSED;
	case VG_OUTCOME_BUSY:
		return VG_BUSY;
	case VG_OUTCOME_FAILED:
		return VG_FAILED;
	case VG_OUTCOME_APPLIED:
	case VG_OUTCOME_ALREADY:
	case VG_OUTCOME_REVERTED:
	case VG_OUTCOME_OK:
		break;
	}
	return VG_DONE;
}
