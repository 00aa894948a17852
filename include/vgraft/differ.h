/* SPDX-License-Identifier: MIT */
/*
 * The differ: a source diff and a target binary in, a patch object out.
 *
 * Never writes to the source tree; works in a private directory that is removed again unless
 * keep_temp is set. The output file appears whole or not at all.
 */
#ifndef VGRAFT_DIFFER_H
#define VGRAFT_DIFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>

struct vg_build_request {
	const char *source; /* root of the source tree */
	const char **diffs;
	size_t diff_count;
	const char *target;   /* ELF file */
	const char *symbols;  /* separate debug file or unstripped twin, or NULL */
	const char **compdbs; /* compile_commands.json; none: found in source or beside target */
	size_t compdb_count;
	const char *name;
	const char *cve; /* or NULL */
	const char **depends;
	size_t depend_count;
	const char **depend_objects; /* of patches that this one builds upon; named too */
	size_t depend_object_count;
	bool replace;
	const char **hooks; /* C files */
	size_t hook_count;
	const char **allow; /* rules that a human has decided about */
	size_t allow_count;
	bool keep_temp;
	/* The diffs were made for this very source: hunks need no context. */
	bool exact_source;
	/* The build directory is the tool's own: what units include may be noted down there. */
	bool own_build_directory;
	const char *output;
	/* --explain: called with one line for each decision, in the user's terms; may be NULL. */
	void (*explain)(void *context, const char *line);
	void *explain_context;
};

enum vg_build_outcome { VG_BUILT, VG_UNCHANGED, VG_BUILD_REFUSED, VG_BUILD_FAILED };
const char *vg_build_word(enum vg_build_outcome outcome); /* of the JSON key `result` */

struct vg_built_function {
	char *name;
	char *file;
	bool is_new;
	uint32_t bytes;
	char **parts; /* foo.cold … */
	size_t part_count;
};

struct vg_reason {
	const char *rule;
	char *function; /* or NULL */
	char *file;	/* or NULL */
	unsigned line;	/* as counted before the diffs; 0 = unknown */
	char *text;
};

struct vg_build_result {
	enum vg_build_outcome outcome;
	char *build_id;	 /* hex, of the target */
	uint64_t bytes;	 /* of the patch object */
	double ms;	 /* all of it */
	double match_ms; /* of these: to read the target and find the old code in it */
	struct vg_built_function *functions;
	size_t function_count;
	struct vg_reason *reasons;
	size_t reason_count;
	char **notes;
	size_t note_count;
	char *temp; /* the private directory, if it was kept */
};
void vg_build_result_clear(struct vg_build_result *result);

/*
 * A refusal is returned as an error with VG_REFUSED and stands in result->reasons as well;
 * `unchanged` is success without an output file.
 */
VG_MUST_CHECK struct vg_error *vg_build(const struct vg_build_request *request,
					struct vg_build_result *result);

#endif
