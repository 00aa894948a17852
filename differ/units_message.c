/* SPDX-License-Identifier: MIT */
/* What a compiler complained about, with the private paths turned back into the user's. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/units.h"

/* The path as the user knows it: absolute, then relative to the source tree if it lies there. */
static char *user_path(const struct vg_unit_plan *plan, const char *directory, const char *path,
		       size_t length)
{
	_cleanup_free_ char *spelled = strndup(path, length);
	const char *bare = spelled;

	if (!spelled)
		return NULL;
	if (vg_starts_with(bare, plan->pre.root))
		bare += strlen(plan->pre.root);
	else if (vg_starts_with(bare, plan->post.root))
		bare += strlen(plan->post.root);

	_cleanup_free_ char *joined = vg_path_join(directory, bare);
	_cleanup_free_ char *normal = joined ? vg_path_normal(joined) : NULL;
	size_t root = strlen(plan->tree.root);

	if (!normal || !vg_path_is_under(normal, plan->tree.root) || !normal[root])
		return vg_take(normal);
	return strdup(normal + root + 1);
}

/* "PATH:LINE:[COLUMN:] [fatal ]error: MESSAGE": the end of PATH, LINE and MESSAGE. */
static bool is_error_line(const char *line, const char **path_end, const char **number,
			  const char **message)
{
	static const char *const words[] = {": error: ", ": fatal error: ", NULL};

	for (size_t i = 0; words[i]; i++) {
		const char *found = strstr(line, words[i]);

		if (!found)
			continue;
		*message = found + strlen(words[i]);
		for (const char *at = strchr(line, ':'); at && at < found;
		     at = strchr(at + 1, ':')) {
			if (!isdigit((unsigned char)at[1]))
				continue;
			*path_end = at;
			*number = at + 1;
			return true;
		}
	}
	return false;
}

static char *first_line(const char *text)
{
	return strndup(text, strcspn(text, "\n"));
}

char *vg_compiler_message(const struct vg_unit_plan *plan, const char *log, const char *directory)
{
	_cleanup_free_ char *text = NULL;
	const char *path_end, *number, *message;
	size_t size;
	struct vg_error *error = vg_read_file(log, VG_FAILED, &text, &size);

	if (error) {
		vg_error_free(error);
		return strdup("the compiler said nothing");
	}
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!is_error_line(line, &path_end, &number, &message))
			continue;

		_cleanup_free_ char *path = user_path(plan, directory, line, path_end - line);

		return path ? vg_format("%s:%.*s: %s", path, (int)strspn(number, "0123456789"),
					number, message)
			    : NULL;
	}
	return text[0] ? first_line(text) : strdup("the compiler failed without a message");
}
