/* SPDX-License-Identifier: MIT */
/* Options that may be repeated and may hold a comma-separated list. */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include <stddef.h>
#include <sys/types.h>

#include <vgraft/error.h>

struct vg_list {
	char **items; /* NULL-terminated when count > 0 */
	size_t count;
};

/* Appends each part of `text` between commas; an empty part is VG_USAGE. */
VG_MUST_CHECK struct vg_error *vg_list_add(struct vg_list *list, const char *option,
					   const char *text);
/* As vg_list_add(), but a file that exists under the whole name, commas and all, is one item. */
VG_MUST_CHECK struct vg_error *vg_list_add_files(struct vg_list *list, const char *option,
						 const char *text);
void vg_list_clear(struct vg_list *list);

/* Decimal process ids; each once, in the order given. *pids (malloc) is owned by the caller. */
VG_MUST_CHECK struct vg_error *vg_list_pids(const struct vg_list *list, pid_t **pids,
					    size_t *count);
/* Seconds, fractions allowed, not negative. */
VG_MUST_CHECK struct vg_error *vg_parse_seconds(const char *option, const char *text,
						double *seconds);

#endif
