/* SPDX-License-Identifier: MIT */
#include "cli/list.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"

static struct vg_error *append(struct vg_list *list, const char *text, size_t length)
{
	char **grown = reallocarray(list->items, list->count + 2, sizeof(*grown));

	if (!grown)
		return vg_error_no_memory();
	list->items = grown;
	grown[list->count] = strndup(text, length);
	if (!grown[list->count])
		return vg_error_no_memory();
	grown[++list->count] = NULL;
	return NULL;
}

struct vg_error *vg_list_add(struct vg_list *list, const char *option, const char *text)
{
	for (;;) {
		size_t length = strcspn(text, ",");

		if (length == 0)
			return vg_error_new(VG_USAGE, "%s has an empty item in its list", option);
		VG_TRY(append(list, text, length));
		if (text[length] == '\0')
			return NULL;
		text += length + 1;
	}
}

struct vg_error *vg_list_add_files(struct vg_list *list, const char *option, const char *text)
{
	if (strchr(text, ',') && access(text, F_OK) == 0)
		return append(list, text, strlen(text));
	return vg_list_add(list, option, text);
}

void vg_list_clear(struct vg_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct vg_list){0};
}

static struct vg_error *parse_pid(const char *text, pid_t *pid)
{
	char *end;

	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno || *end || end == text || value < 1 || value > INT_MAX)
		return vg_error_new(VG_USAGE, "--pid wants a process id, not '%s'", text);
	*pid = (pid_t)value;
	return NULL;
}

static bool is_listed(const pid_t *pids, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

struct vg_error *vg_list_pids(const struct vg_list *list, pid_t **pids_out, size_t *count_out)
{
	pid_t *pids = calloc(list->count + 1, sizeof(*pids));
	size_t count = 0;

	if (!pids)
		return vg_error_no_memory();
	for (size_t i = 0; i < list->count; i++) {
		pid_t pid = 0;
		struct vg_error *error = parse_pid(list->items[i], &pid);

		if (error) {
			free(pids);
			return error;
		}
		if (!is_listed(pids, count, pid))
			pids[count++] = pid;
	}
	*pids_out = pids;
	*count_out = count;
	return NULL;
}

struct vg_error *vg_parse_seconds(const char *option, const char *text, double *seconds)
{
	char *end;

	errno = 0;
	*seconds = strtod(text, &end);
	if (errno || *end || end == text || !isfinite(*seconds) || *seconds < 0)
		return vg_error_new(VG_USAGE, "%s wants a number of seconds, not '%s'", option,
				    text);
	return NULL;
}
