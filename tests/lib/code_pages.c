/* SPDX-License-Identifier: MIT */
#include "tests/lib/code_pages.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

struct vg_error *vg_code_pages_forget(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)pid);

	_cleanup_fclose_ FILE *file = fopen(path, "we");

	/* "1": all pages of the process */
	if (!file || fputs("1", file) < 0 || fflush(file) != 0)
		return vg_error_errno(VG_FAILED, errno, "cannot write %s", path);
	return NULL;
}

/* The line that begins a mapping: `55…-55… r-xp 00000000 00:00 0`, and no name behind. */
static bool is_code_without_file(const char *line)
{
	const char *space = strchr(line, ' ');
	unsigned long inode = 1;

	if (!space || strncmp(space + 1, "r-xp ", 5) != 0)
		return false;
	/* NOLINTNEXTLINE(cert-err34-c): the count of fields is checked */
	return sscanf(space + 6, "%*x %*x:%*x %lu", &inode) == 1 && inode == 0 &&
	       !strchr(line, '[');
}

struct vg_error *vg_code_pages_touched(pid_t pid, unsigned long *bytes)
{
	_cleanup_free_ char *line = NULL;
	bool is_code = false;
	size_t room = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);

	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!file)
		return vg_error_errno(VG_FAILED, errno, "cannot read %s", path);
	*bytes = 0;
	while (getline(&line, &room, file) > 0) {
		/* Keys begin with a capital letter, mappings with a hexadecimal digit. */
		if (line[0] < 'A' || line[0] > 'Z')
			is_code = is_code_without_file(line);
		else if (is_code && strncmp(line, "Referenced:", 11) == 0)
			*bytes += strtoul(line + 11, NULL, 10) * 1024;
	}
	return NULL;
}
