/* SPDX-License-Identifier: MIT */
#include "cli/build_answer.h"

#include <stdio.h>

#include "cli/report.h"

static json_t *json_functions(const struct vg_build_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->function_count; i++) {
		const struct vg_built_function *function = &result->functions[i];
		json_t *object = json_object();

		json_object_set_new(object, "name", vg_json_text(function->name));
		json_object_set_new(object, "file", vg_json_text(function->file));
		json_object_set_new(object, "kind",
				    json_string(function->is_new ? "new" : "changed"));
		json_object_set_new(object, "size", json_integer(function->bytes));
		json_object_set_new(object, "parts",
				    vg_json_strings(function->parts, function->part_count));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *json_reasons(const struct vg_build_result *result)
{
	json_t *array = json_array();

	for (size_t i = 0; i < result->reason_count; i++) {
		const struct vg_reason *reason = &result->reasons[i];
		json_t *object = json_object();

		json_object_set_new(object, "rule", vg_json_text(reason->rule));
		json_object_set_new(object, "function", vg_json_text(reason->function));
		json_object_set_new(object, "file", vg_json_text(reason->file));
		json_object_set_new(object, "line",
				    reason->line ? json_integer(reason->line) : json_null());
		json_object_set_new(object, "text", vg_json_text(reason->text));
		json_array_append_new(array, object);
	}
	return array;
}

json_t *vg_build_answer(const struct vg_build_request *request,
			const struct vg_manifest_request *package,
			const struct vg_build_result *result)
{
	json_t *object = json_object();
	bool built = result->outcome == VG_BUILT;

	json_object_set_new(object, "result", json_string(vg_build_word(result->outcome)));
	json_object_set_new(object, "patch", vg_json_text(request->name));
	json_object_set_new(object, "file", built ? vg_json_text(request->output) : json_null());
	json_object_set_new(object, "bytes", json_integer((json_int_t)result->bytes));
	json_object_set_new(object, "ms", json_real((double)(long)(result->ms * 10 + 0.5) / 10));
	json_object_set_new(object, "match_ms",
			    json_real((double)(long)(result->match_ms * 10 + 0.5) / 10));
	if (package)
		json_object_set_new(object, "prepare_ms", json_real((double)(long)package->ms));
	json_object_set_new(object, "build_id", vg_json_text(result->build_id));
	json_object_set_new(object, "functions", json_functions(result));
	json_object_set_new(object, "reasons", json_reasons(result));
	json_object_set_new(object, "notes", vg_json_strings(result->notes, result->note_count));
	return object;
}

void vg_build_say(const struct vg_build_request *request, const struct vg_build_result *result)
{
	if (result->outcome == VG_UNCHANGED) {
		vg_say("unchanged: the diff changes no machine code; no patch was written");
		return;
	}
	vg_say("built %s: %lu bytes, %zu functions, %.0f ms", request->output,
	       (unsigned long)result->bytes, result->function_count, result->ms);
	for (size_t i = 0; i < result->function_count; i++)
		fprintf(stderr, "  %-7s %s (%s), %u bytes\n",
			result->functions[i].is_new ? "new" : "changed", result->functions[i].name,
			result->functions[i].file, result->functions[i].bytes);
}
