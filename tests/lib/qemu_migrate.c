/* SPDX-License-Identifier: MIT */
#include "tests/lib/qemu_migrate.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/command.h"

/* The guest writes memory as fast as it can; it may stand still so that the rest gets across. */
#define BANDWIDTH   (1LL << 32) /* bytes a second */
#define DOWNTIME_MS 5000

struct question {
	struct vg_qemu *qemu;
	const char *command, *key, *wanted;
	char found[32];
	struct vg_error *error;
};

static bool is_as_wanted(void *argument)
{
	struct question *question = argument;
	_cleanup_answer_ json_t *answer = NULL;

	question->error = vg_qmp_ask(vg_qemu_qmp(question->qemu), question->command, NULL, &answer);
	snprintf(question->found, sizeof(question->found), "%s",
		 vg_answer_text(answer, question->key));
	return question->error || strcmp(question->found, question->wanted) == 0 ||
	       strcmp(question->found, "failed") == 0;
}

/* Asks until the answer has `wanted` under `key`. */
static struct vg_error *wait_state(struct vg_qemu *qemu, const char *command, const char *key,
				   const char *wanted)
{
	struct question question = {.qemu = qemu, .command = command, .key = key, .wanted = wanted};

	VG_TRY(vg_process_wait(vg_qemu_process(qemu), is_as_wanted, &question, wanted));
	if (!question.error && strcmp(question.found, wanted) != 0)
		return vg_error_new(VG_FAILED, "%s says %s, not %s", command, question.found,
				    wanted);
	return question.error;
}

static struct vg_error *quit(struct vg_qemu *qemu)
{
	VG_TRY(vg_qmp_ask(vg_qemu_qmp(qemu), "quit", NULL, NULL));
	VG_TRY(vg_process_wait_end(vg_qemu_process(qemu)));
	if (vg_process_exit_code(vg_qemu_process(qemu)) != 0)
		return vg_error_new(VG_FAILED, "the QEMU that the guest left ended with %d: %s",
				    vg_process_exit_code(vg_qemu_process(qemu)),
				    vg_qemu_process(qemu)->messages.text);
	return NULL;
}

struct vg_error *vg_qemu_migrate(struct vg_qemu *from, struct vg_qemu *to)
{
	char uri[PATH_MAX];

	snprintf(uri, sizeof(uri), "unix:%s/incoming.sock", vg_qemu_folder(to));
	VG_TRY(vg_qmp_ask(vg_qemu_qmp(from), "migrate-set-parameters",
			  json_pack("{s:I, s:i}", "max-bandwidth", (json_int_t)BANDWIDTH,
				    "downtime-limit", DOWNTIME_MS),
			  NULL));
	VG_TRY(vg_qmp_ask(vg_qemu_qmp(from), "migrate", json_pack("{s:s}", "uri", uri), NULL));
	VG_TRY(wait_state(from, "query-migrate", "status", "completed"));
	VG_TRY(quit(from));
	return wait_state(to, "query-status", "status", "running");
}

struct vg_error *vg_qemu_human(struct vg_qemu *qemu, const char *command, char **said)
{
	_cleanup_answer_ json_t *answer = NULL;

	VG_TRY(vg_qmp_ask(vg_qemu_qmp(qemu), "human-monitor-command",
			  json_pack("{s:s}", "command-line", command), &answer));
	*said = strdup(json_string_value(answer) ? json_string_value(answer) : "");
	return *said ? NULL : vg_error_no_memory();
}

/* Silence is success. */
static struct vg_error *snapshot(struct vg_qemu *qemu, const char *verb, const char *name)
{
	_cleanup_free_ char *said = NULL;
	char command[64];

	snprintf(command, sizeof(command), "%s %s", verb, name);
	VG_TRY(vg_qemu_human(qemu, command, &said));
	return *said ? vg_error_new(VG_FAILED, "%s: %s", command, said) : NULL;
}

struct vg_error *vg_qemu_snapshot_save(struct vg_qemu *qemu, const char *name)
{
	return snapshot(qemu, "savevm", name);
}

struct vg_error *vg_qemu_snapshot_load(struct vg_qemu *qemu, const char *name)
{
	return snapshot(qemu, "loadvm", name);
}

struct vg_error *vg_qemu_plug(struct vg_qemu *qemu, json_t *arguments)
{
	return vg_qmp_ask(vg_qemu_qmp(qemu), "device_add", arguments, NULL);
}

struct pulled {
	struct vg_qemu *qemu;
	const char *id;
	struct vg_error *error;
};

static bool is_gone(void *argument)
{
	struct pulled *pulled = argument;
	_cleanup_answer_ json_t *answer = NULL;
	const json_t *device;
	size_t i;

	pulled->error = vg_qmp_ask(vg_qemu_qmp(pulled->qemu), "qom-list",
				   json_pack("{s:s}", "path", "/machine/peripheral"), &answer);
	json_array_foreach(answer, i, device) if (strcmp(vg_answer_text(device, "name"),
							 pulled->id) == 0) return false;
	return true;
}

struct vg_error *vg_qemu_unplug(struct vg_qemu *qemu, const char *id)
{
	struct pulled pulled = {.qemu = qemu, .id = id};

	VG_TRY(vg_qmp_ask(vg_qemu_qmp(qemu), "device_del", json_pack("{s:s}", "id", id), NULL));
	VG_TRY(vg_process_wait(vg_qemu_process(qemu), is_gone, &pulled, "the device to be gone"));
	return pulled.error;
}
