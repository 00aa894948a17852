/* SPDX-License-Identifier: MIT */
#include "tests/corpus/verb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/text_file.h"
#include "tests/corpus/run.h"

struct answer {
	struct run run;
	json_t *json; /* the one line, or NULL if there was none */
};

static void answer_clear(struct answer *answer)
{
	run_clear(&answer->run);
	json_decref(answer->json);
}

/* The first line of stderr says why; what follows are details. */
static const char *first_line(char *text)
{
	text[strcspn(text, "\n")] = '\0';
	return *text ? text : "nothing on stderr";
}

/* Each verb prints one object for each target; here there is at most one target. */
static struct vg_error *read_answer(const char *verb, struct answer *answer)
{
	const char *newline = strchr(answer->run.out, '\n');
	json_error_t error;

	if (answer->run.out[0] == '\0')
		return NULL;
	if (!newline || newline[1])
		return vg_error_new(VG_FAILED, "%s printed not one line on stdout: '%s'", verb,
				    answer->run.out);
	answer->json = json_loads(answer->run.out, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(answer->json))
		return vg_error_new(VG_FAILED, "%s printed no JSON object: %s", verb,
				    answer->run.out);
	return NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static struct vg_error *call(const struct verbs *verbs, const struct arguments *arguments, int code,
			     struct answer *answer)
{
	const char *verb = arguments->words[1];

	VG_TRY(run_command(arguments, verbs->workspace->directory, &answer->run));
	VG_TRY(read_answer(verb, answer));
	if (answer->run.code != code)
		return vg_error_new(VG_FAILED, "%s: expected exit code %d, got %d: %.400s %.400s",
				    verb, code, answer->run.code, text_of(answer->json, "reason"),
				    first_line(answer->run.err));
	return NULL;
}

static struct vg_error *expect_text(const char *verb, const json_t *object, const char *key,
				    const char *expected)
{
	if (strcmp(text_of(object, key), expected) == 0)
		return NULL;
	return vg_error_new(VG_FAILED, "%s: expected %s '%s', got '%s'", verb, key, expected,
			    text_of(object, key));
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join_sorted(struct arguments *words)
{
	char *text;
	size_t bytes;
	FILE *stream = open_memstream(&text, &bytes);

	qsort(words->words, words->count, sizeof(*words->words), compare_words);
	for (size_t i = 0; i < words->count; i++)
		fprintf(stream, "%s%s", i ? ", " : "", words->words[i]);
	fclose(stream);
	return text;
}

/* "new b, changed a" -> "changed a, new b" */
static char *sort_list(const char *list)
{
	_cleanup_(arguments_clear) struct arguments words = {0};
	_cleanup_free_ char *copy = strdup(list ? list : "");
	char *rest = copy;

	for (char *word; (word = strsep(&rest, ","));) {
		word += strspn(word, " ");
		if (*word)
			arguments_add(&words, word);
	}
	return join_sorted(&words);
}

static char *list_functions(const json_t *functions)
{
	_cleanup_(arguments_clear) struct arguments words = {0};
	const json_t *function;
	size_t i;

	json_array_foreach(functions, i, function) arguments_addf(
		&words, "%s %s", text_of(function, "kind"), text_of(function, "name"));
	return join_sorted(&words);
}

static char *list_parts(const json_t *functions)
{
	_cleanup_(arguments_clear) struct arguments words = {0};
	const json_t *function, *part;
	size_t i, k;

	json_array_foreach(functions, i, function)
		json_array_foreach(json_object_get(function, "parts"), k, part)
			arguments_add(&words, json_string_value(part));
	return join_sorted(&words);
}

static struct vg_error *expect_functions(const struct verbs *verbs, const char *verb,
					 const json_t *object, const struct change *change)
{
	const json_t *functions = json_object_get(object, "functions");
	_cleanup_free_ char *got = list_functions(functions);
	_cleanup_free_ char *got_parts = list_parts(functions);
	_cleanup_free_ char *expected = sort_list(change->functions);
	_cleanup_free_ char *expected_parts = sort_list(change->parts);

	if (!json_array_size(functions))
		return vg_error_new(VG_FAILED, "%s: names no functions", verb);
	if (!verbs->names_are_checked)
		return NULL;
	if (strcmp(got, expected) != 0)
		return vg_error_new(VG_FAILED, "%s: expected functions '%s', got '%s'", verb,
				    expected, got);
	if (change->parts && strcmp(got_parts, expected_parts) != 0)
		return vg_error_new(VG_FAILED, "%s: expected parts '%s', got '%s'", verb,
				    expected_parts, got_parts);
	return NULL;
}

static bool is_reason(const json_t *reason, const struct change *change)
{
	char place[512];

	snprintf(place, sizeof(place), "%s:%lld", text_of(reason, "file"),
		 (long long)json_integer_value(json_object_get(reason, "line")));
	return (!change->rule || strcmp(text_of(reason, "rule"), change->rule) == 0) &&
	       (!change->reason || strstr(text_of(reason, "text"), change->reason)) &&
	       (!change->place || strcmp(place, change->place) == 0) && *text_of(reason, "text");
}

static struct vg_error *expect_reason(const json_t *object, const struct change *change)
{
	const json_t *reasons = json_object_get(object, "reasons"), *reason;
	size_t i;

	json_array_foreach(reasons, i, reason) if (is_reason(reason, change)) return NULL;
	_cleanup_free_ char *text = json_dumps(reasons, JSON_COMPACT | JSON_ENCODE_ANY);

	return vg_error_new(VG_FAILED, "build: expected a reason%s%s%s%s%s%s, got %.400s",
			    change->rule ? " of rule " : "", change->rule ? change->rule : "",
			    change->reason ? " that says " : "",
			    change->reason ? change->reason : "", change->place ? " at " : "",
			    change->place ? change->place : "", text ? text : "none");
}

static struct vg_error *expect_file(const struct verbs *verbs, const json_t *object)
{
	struct stat status;

	if (stat(verbs->object, &status) != 0)
		return vg_error_new(VG_FAILED, "build: the patch object was not written");
	if (json_integer_value(json_object_get(object, "bytes")) != status.st_size)
		return vg_error_new(VG_FAILED, "build: 'bytes' is not the object's size");
	return expect_text("build", object, "file", verbs->object);
}

static struct vg_error *expect_build(const struct verbs *verbs, const json_t *object,
				     const struct change *change)
{
	const char *result = change_is_built(change) ? "built" : change->result;

	VG_TRY(expect_text("build", object, "result", result));
	VG_TRY(expect_text("build", object, "patch", PATCH_NAME));
	if (change_is_built(change)) {
		VG_TRY(expect_functions(verbs, "build", object, change));
		return expect_file(verbs, object);
	}
	if (access(verbs->object, F_OK) == 0)
		return vg_error_new(VG_FAILED,
				    "build: a patch object was written although the "
				    "result is %s",
				    change->result);
	return strcmp(change->result, "unchanged") == 0 ? NULL : expect_reason(object, change);
}

static int exit_code_of(const char *result)
{
	if (strcmp(result, "refused") == 0)
		return VG_REFUSED;
	return strcmp(result, "failed") == 0 ? VG_FAILED : VG_DONE;
}

static char *trim(char *text)
{
	text += strspn(text, " ");
	for (size_t length = strlen(text); length && text[length - 1] == ' ';)
		text[--length] = '\0';
	return text;
}

static struct vg_error *expect_explained(const struct answer *answer, const struct change *change)
{
	_cleanup_free_ char *copy = strdup(change->explain ? change->explain : "");
	char *rest = copy;

	for (char *text; (text = strsep(&rest, "|"));) {
		text = trim(text);
		if (!strstr(answer->run.err, text))
			return vg_error_new(VG_FAILED, "build --explain does not say '%s': %.2000s",
					    text, answer->run.err);
	}
	return NULL;
}

struct vg_error *verb_build(const struct verbs *verbs, const struct change *change)
{
	const struct workspace *workspace = verbs->workspace;
	_cleanup_(arguments_clear) struct arguments build = {0};
	_cleanup_(answer_clear) struct answer answer = {0};
	_cleanup_free_ char *before = NULL, *after = NULL;

	arguments_add(&build, verbs->vgraft);
	arguments_add(&build, "build");
	arguments_addf(&build, "--source=%s", workspace->source);
	arguments_addf(&build, "--diff=%s/%s", workspace->source, change->diff);
	arguments_addf(&build, "--target=%s", workspace->target);
	arguments_split(&build, "--json --name " PATCH_NAME " -o");
	arguments_add(&build, verbs->object);
	arguments_split(&build, change->options);
	if (change->explain)
		arguments_add(&build, "--explain");
	VG_TRY(workspace_source_state(workspace, &before));
	VG_TRY(call(verbs, &build, exit_code_of(change->result), &answer));
	VG_TRY(workspace_source_state(workspace, &after));
	if (strcmp(before, after) != 0)
		return vg_error_new(VG_FAILED, "build: the source tree was touched");
	VG_TRY(expect_explained(&answer, change));
	return expect_build(verbs, answer.json, change);
}

struct vg_error *verb_rebuild(const struct verbs *verbs, const struct change *change)
{
	_cleanup_free_ char *path = NULL, *first = NULL, *second = NULL;
	size_t first_count, second_count;
	struct verbs again = *verbs;

	if (asprintf(&path, "%s.again", verbs->object) < 0)
		return vg_error_new(VG_FAILED, "out of memory");
	again.object = path;
	VG_TRY(verb_build(&again, change));
	VG_TRY(vg_text_file_read(verbs->object, &first, &first_count));
	VG_TRY(vg_text_file_read(path, &second, &second_count));
	if (first_count != second_count || memcmp(first, second, first_count) != 0)
		return vg_error_new(VG_FAILED, "build: the same inputs gave other bytes");
	return NULL;
}

struct vg_error *verb_inspect(const struct verbs *verbs, const struct change *change)
{
	_cleanup_(arguments_clear) struct arguments inspect = {0};
	_cleanup_(answer_clear) struct answer answer = {0};

	arguments_add(&inspect, verbs->vgraft);
	arguments_split(&inspect, "inspect --json");
	arguments_add(&inspect, verbs->object);
	VG_TRY(call(verbs, &inspect, VG_DONE, &answer));
	VG_TRY(expect_text("inspect", answer.json, "patch", PATCH_NAME));
	return expect_functions(verbs, "inspect", answer.json, change);
}

static struct vg_error *expect_process(const char *verb, const json_t *object, pid_t pid,
				       const char *result, int threads)
{
	VG_TRY(expect_text(verb, object, "patch", PATCH_NAME));
	VG_TRY(expect_text(verb, object, "result", result));
	if (json_integer_value(json_object_get(object, "pid")) != pid)
		return vg_error_new(VG_FAILED, "%s: the result is of another process", verb);
	if (threads && strcmp(result, "already") != 0 &&
	    json_integer_value(json_object_get(object, "threads")) != threads)
		return vg_error_new(VG_FAILED, "%s: expected %d threads, got %lld", verb, threads,
				    json_integer_value(json_object_get(object, "threads")));
	return NULL;
}

static struct vg_error *call_on_process(const struct verbs *verbs, const char *verb, pid_t pid,
					const char *timeout, int code, struct answer *answer)
{
	_cleanup_(arguments_clear) struct arguments arguments = {0};

	arguments_add(&arguments, verbs->vgraft);
	arguments_add(&arguments, verb);
	arguments_add(&arguments, strcmp(verb, "revert") == 0 ? PATCH_NAME : verbs->object);
	arguments_split(&arguments, "--json --timeout");
	arguments_add(&arguments, timeout);
	arguments_addf(&arguments, "--pid=%d", pid);
	return call(verbs, &arguments, code, answer);
}

struct vg_error *verb_process(const struct verbs *verbs, const char *verb, pid_t pid,
			      const char *result, int threads)
{
	_cleanup_(answer_clear) struct answer answer = {0};

	VG_TRY(call_on_process(verbs, verb, pid, "60", VG_DONE, &answer));
	return expect_process(verb, answer.json, pid, result, threads);
}

static bool is_blocked_in(const json_t *object, const char *function)
{
	const json_t *blocker;
	size_t i;

	json_array_foreach(json_object_get(object, "blockers"), i,
			   blocker) if (strcmp(text_of(blocker, "function"), function) ==
					0) return true;
	return false;
}

struct vg_error *verb_busy(const struct verbs *verbs, const char *verb, pid_t pid,
			   const char *function)
{
	_cleanup_(answer_clear) struct answer answer = {0};

	VG_TRY(call_on_process(verbs, verb, pid, "1", VG_BUSY, &answer));
	VG_TRY(expect_process(verb, answer.json, pid, "busy", 0));
	if (!is_blocked_in(answer.json, function))
		return vg_error_new(VG_FAILED, "%s: no blocker stands in %s: %s", verb, function,
				    answer.run.out);
	if (!strstr(text_of(answer.json, "reason"), function))
		return vg_error_new(VG_FAILED, "%s: the reason does not name %s: %s", verb,
				    function, text_of(answer.json, "reason"));
	return NULL;
}

struct vg_error *verb_status(const struct verbs *verbs, const struct change *change, pid_t pid,
			     bool applied)
{
	_cleanup_(arguments_clear) struct arguments arguments = {0};
	_cleanup_(answer_clear) struct answer answer = {0};

	arguments_add(&arguments, verbs->vgraft);
	arguments_split(&arguments, "status --json --pid");
	arguments_addf(&arguments, "%d", pid);
	VG_TRY(call(verbs, &arguments, VG_DONE, &answer));
	if (!applied && answer.json)
		return vg_error_new(VG_FAILED, "status: a patch is listed after the revert: %s",
				    answer.run.out);
	if (!applied)
		return NULL;
	VG_TRY(expect_text("status", answer.json, "patch", PATCH_NAME));
	VG_TRY(expect_text("status", answer.json, "state", "applied"));
	return expect_functions(verbs, "status", answer.json, change);
}
