/* SPDX-License-Identifier: MIT */
/*
 * 1. /proc/PID/cgroup names the target's cgroup in each hierarchy: `ID:CONTROLLERS:PATH`; version 2
 *    is `0::PATH`.
 * 2. /proc/self/mountinfo tells where we see that hierarchy, and from which of its paths on.
 * 3. A file there says whether the group, or one above it, is frozen.
 */
#include "patcher/freezer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

struct hierarchy {
	const char *controllers;   /* as in /proc/PID/cgroup */
	const char *type, *option; /* of the mount */
	const char *file, *frozen; /* the line that says so */
};

static const struct hierarchy hierarchies[] = {
	{"freezer", "cgroup", "freezer", "freezer.state", "FROZEN"},
	{"", "cgroup2", "", "cgroup.events", "frozen 1"},
};

static FILE *open_at(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

/* Is `word` one of a list with commas between? The empty list has the empty word. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	if (!length)
		return !*list;
	for (const char *at = list; (at = strstr(at, word)); at += length)
		if ((at == list || at[-1] == ',') && (!at[length] || at[length] == ','))
			return true;
	return false;
}

/* Step 1. */
static bool find_group(int proc, const struct hierarchy *hierarchy, char path[4096])
{
	_cleanup_fclose_ FILE *file = open_at(proc, "cgroup");
	char line[4352];

	while (file && fgets(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':');
		char *group = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!group)
			continue;
		*group = '\0';
		if (!has_word(controllers + 1, hierarchy->controllers))
			continue;
		group[1 + strcspn(group + 1, "\n")] = '\0';
		snprintf(path, 4096, "%.4095s", group + 1);
		return true;
	}
	return false;
}

/* `ID PARENT DEVICE ROOT POINT OPTIONS … - TYPE SOURCE OPTIONS` (proc(5)) */
static bool is_mount_of(char *line, const struct hierarchy *hierarchy, char root[1024],
			char point[1024])
{
	char type[64], options[1024] = "";
	const char *rest = strstr(line, " - ");

	return rest && sscanf(rest, " - %63s %*s %1023s", type, options) >= 1 &&
	       !strcmp(type, hierarchy->type) &&
	       (!*hierarchy->option || has_word(options, hierarchy->option)) &&
	       sscanf(line, "%*d %*d %*s %1023s %1023s", root, point) == 2;
}

/* The part of the group's path that is below the mounted root; NULL: it is not below it. */
static const char *below(const char *group, const char *root)
{
	size_t length = strcmp(root, "/") ? strlen(root) : 0;

	return strncmp(group, root, length) || (group[length] && group[length] != '/')
		       ? NULL
		       : group + length;
}

static bool says(const char *path, const char *text)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strcmp(line, text))
			return true;
	}
	return false;
}

/* Steps 2 and 3. */
static bool is_frozen(const struct hierarchy *hierarchy, const char *group)
{
	_cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
	char line[8192], root[1024], point[1024], path[8192];

	while (mounts && fgets(line, sizeof(line), mounts)) {
		const char *tail = NULL;

		if (is_mount_of(line, hierarchy, root, point))
			tail = below(group, root);
		if (tail) {
			snprintf(path, sizeof(path), "%s%s/%s", point, tail, hierarchy->file);
			return says(path, hierarchy->frozen);
		}
	}
	return false;
}

bool vg_freezer_holds(int proc)
{
	char group[4096];

	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++)
		if (find_group(proc, &hierarchies[i], group) && is_frozen(&hierarchies[i], group))
			return true;
	return false;
}
