/* SPDX-License-Identifier: MIT */
#include "tests/lib/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/guest.h"
#include "tests/lib/process.h"

#define MAX_WORDS 64

static struct vg_error *run(const char *const arguments[], struct vg_process **process)
{
	_cleanup_free_ char *vgraft = NULL;
	const char *words[MAX_WORDS + 3];
	size_t count = 0;
	int code;

	if (asprintf(&vgraft, "%s/vgraft", vg_build_folder()) < 0)
		return vg_error_no_memory();
	words[count++] = vgraft;
	while (arguments[count - 1] && count < MAX_WORDS) {
		words[count] = arguments[count - 1];
		count++;
	}
	words[count++] = "--json";
	words[count] = NULL;
	return vg_process_run(words, &code, process);
}

struct vg_error *vg_command(const char *const arguments[], int *code, json_t **answer)
{
	_cleanup_process_ struct vg_process *process = NULL;

	VG_TRY(run(arguments, &process));
	*code = vg_process_exit_code(process);
	*answer = json_loads(process->output.text ? process->output.text : "",
			     JSON_DISABLE_EOF_CHECK, NULL);
	return NULL;
}

struct vg_error *vg_command_must(const char *const arguments[], json_t **answer)
{
	_cleanup_process_ struct vg_process *process = NULL;

	VG_TRY(run(arguments, &process));
	if (vg_process_exit_code(process) != 0)
		return vg_error_new(VG_FAILED, "vgraft %s exited with %d: %s", arguments[0],
				    vg_process_exit_code(process), process->messages.text);
	*answer = json_loads(process->output.text ? process->output.text : "",
			     JSON_DISABLE_EOF_CHECK, NULL);
	if (!*answer)
		return vg_error_new(VG_FAILED, "vgraft %s printed no JSON", arguments[0]);
	return NULL;
}

const char *vg_answer_text(const json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text ? text : "";
}

double vg_answer_number(const json_t *answer, const char *key)
{
	return json_number_value(json_object_get(answer, key));
}
