/* SPDX-License-Identifier: MIT */
#include "tests/lib/qmp.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/process.h"
#include "tests/lib/unix_socket.h"

#define LOOK_US 5000 /* how often it is looked whether an answer came */
#define ASK_US	2000 /* between two questions, so that others have their turn */

struct vg_qmp {
	FILE *stream;	       /* to read from; what is sent goes past it */
	pthread_mutex_t mutex; /* one command at a time */
	pthread_t asking;
	bool is_asking;
	atomic_bool stop;
	atomic_ulong answers;
	_Atomic(struct vg_error *) wrong; /* the first wrong answer */
};

static struct vg_error *read_line(struct vg_qmp *qmp, json_t **object)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	if (getline(&line, &room, qmp->stream) < 0)
		return vg_error_errno(VG_FAILED, errno, "the monitor does not answer");
	*object = json_loads(line, 0, NULL);
	return *object ? NULL : vg_error_new(VG_FAILED, "the monitor said: %s", line);
}

/* Events come between command and answer. */
static struct vg_error *read_answer(struct vg_qmp *qmp, const char *command, json_t **answer)
{
	for (;;) {
		json_t *object = NULL, *value;

		VG_TRY(read_line(qmp, &object));
		value = json_object_get(object, "return");
		if (value) {
			if (answer)
				*answer = json_incref(value);
			json_decref(object);
			return NULL;
		}
		value = json_object_get(json_object_get(object, "error"), "desc");
		if (value) {
			struct vg_error *error =
				vg_error_new(VG_FAILED, "the monitor refuses %s: %s", command,
					     json_string_value(value));

			json_decref(object);
			return error;
		}
		json_decref(object);
	}
}

static struct vg_error *ask_locked(struct vg_qmp *qmp, const char *command, json_t *arguments,
				   json_t **answer)
{
	json_t *object = json_pack("{s:s}", "execute", command);

	if (arguments)
		json_object_set_new(object, "arguments", arguments);

	char *text = json_dumps(object, JSON_COMPACT); /* QMP needs no line ends */

	json_decref(object);
	if (!text)
		return vg_error_no_memory();
	size_t length = strlen(text);
	ssize_t sent = send(fileno(qmp->stream), text, length, MSG_NOSIGNAL);

	free(text);
	if (sent != (ssize_t)length)
		return vg_error_errno(VG_FAILED, errno, "cannot send %s to the monitor", command);
	return read_answer(qmp, command, answer);
}

struct vg_error *vg_qmp_ask(struct vg_qmp *qmp, const char *command, json_t *arguments,
			    json_t **answer)
{
	pthread_mutex_lock(&qmp->mutex);
	struct vg_error *error = ask_locked(qmp, command, arguments, answer);
	pthread_mutex_unlock(&qmp->mutex);
	return error;
}

struct vg_error *vg_qmp_open(const char *path, struct vg_qmp **out)
{
	_cleanup_(vg_cleanup_close) int fd = -1;
	json_t *greeting = NULL;

	VG_TRY(vg_unix_connect(path, &fd));

	struct vg_qmp *qmp = calloc(1, sizeof(*qmp));
	FILE *stream = fdopen(fd, "r");

	if (!qmp || !stream) {
		free(qmp);
		return vg_error_no_memory();
	}
	fd = -1; /* the stream's now */
	qmp->stream = stream;
	pthread_mutex_init(&qmp->mutex, NULL);
	*out = qmp;
	VG_TRY(read_line(qmp, &greeting));
	json_decref(greeting);
	return vg_qmp_ask(qmp, "qmp_capabilities", NULL, NULL);
}

static struct vg_error *ask_state(struct vg_qmp *qmp)
{
	json_t *answer = NULL;
	struct vg_error *error = vg_qmp_ask(qmp, "query-status", NULL, &answer);
	const char *state = json_string_value(json_object_get(answer, "status"));

	if (!error && (!state || strcmp(state, "running") != 0))
		error = vg_error_new(VG_FAILED, "the machine is %s, not running",
				     state ? state : "in no state");
	json_decref(answer);
	return error;
}

static void *keep_asking(void *argument)
{
	struct vg_qmp *qmp = argument;
	struct vg_error *error = NULL;

	while (!qmp->stop && !(error = ask_state(qmp))) {
		qmp->answers++;
		usleep(ASK_US);
	}
	qmp->wrong = error;
	return NULL;
}

struct vg_error *vg_qmp_keep_asking(struct vg_qmp *qmp)
{
	if (pthread_create(&qmp->asking, NULL, keep_asking, qmp) != 0)
		return vg_error_no_memory();
	qmp->is_asking = true;
	return NULL;
}

struct vg_error *vg_qmp_wait_answers(struct vg_qmp *qmp, unsigned long more)
{
	unsigned long wanted = qmp->answers + more;

	for (long waited = 0; qmp->answers < wanted; waited += LOOK_US) {
		if (qmp->wrong)
			return vg_error_new(VG_FAILED, "%s", vg_error_text(qmp->wrong));
		if (waited > VG_HANG_SECONDS * 1000000L)
			return vg_error_new(VG_FAILED, "the monitor has stopped answering");
		usleep(LOOK_US);
	}
	return NULL;
}

void vg_qmp_close(struct vg_qmp *qmp)
{
	if (!qmp)
		return;
	qmp->stop = true;
	shutdown(fileno(qmp->stream), SHUT_RDWR);
	if (qmp->is_asking)
		pthread_join(qmp->asking, NULL);
	vg_error_free(qmp->wrong);
	fclose(qmp->stream);
	pthread_mutex_destroy(&qmp->mutex);
	free(qmp);
}
