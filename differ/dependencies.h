/* SPDX-License-Identifier: MIT */
/*
 * What a unit includes, from the dependency information that the build left: the compiler's .d
 * files and ninja's log. It is believed only as far as make would believe it: every file that it
 * lists is there and none is newer than the information.
 */
#ifndef DIFFER_DEPENDENCIES_H
#define DIFFER_DEPENDENCIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <vgraft/error.h>

#include "differ/compile_commands.h"
#include "differ/compile_words.h"
#include "differ/source_tree.h"

enum vg_reach {
	VG_REACH_UNKNOWN, /* nothing at hand, or out of date */
	VG_REACH_NO,
	VG_REACH_YES,
};

struct vg_dependencies; /* what was read so far: file times and logs are looked up once */

VG_MUST_CHECK struct vg_error *vg_dependencies_new(struct vg_source_tree *tree,
						   struct vg_dependencies **dependencies);
void vg_dependencies_free(struct vg_dependencies *dependencies);
static inline void vg_dependencies_cleanup(struct vg_dependencies **dependencies)
{
	vg_dependencies_free(*dependencies);
}

/*
 * Does the unit include a touched file? `spelled` receives the touched files (absolute, with the
 * ".." and links that the unit's own include paths lead through). *source is where it was read
 * (for --explain; malloc) or NULL.
 */
VG_MUST_CHECK struct vg_error *vg_dependencies_ask(struct vg_dependencies *dependencies,
						   const struct vg_compile_command *command,
						   struct vg_words *spelled, char **source,
						   enum vg_reach *reach);

/*
 * Did ninja, which made other objects in the directory of this command, never make this one? CMake
 * lists the units of test programs that nobody has built (curl: 1,030 of 1,237).
 */
VG_MUST_CHECK struct vg_error *vg_dependencies_never_made(struct vg_dependencies *dependencies,
							  const struct vg_compile_command *command,
							  bool *never);

/*
 * Reads a dependency file that a compiler has just written for us in `directory`; paths that start
 * with `unmap` (or NULL) lose it. Counts the touched files that were read as they are in the tree,
 * the patched copies, and precompiled headers; marks the touched files as reached.
 */
struct vg_dependency_count {
	size_t originals;
	size_t copies;
	size_t precompiled;
};
VG_MUST_CHECK struct vg_error *vg_dependencies_count(struct vg_dependencies *dependencies,
						     const char *file, const char *directory,
						     const char *unmap, struct vg_words *spelled,
						     struct vg_dependency_count *count);

/*
 * Leaves such a file where the build would have left it (-MF), so that the compiler is asked once
 * only. For build directories of our own. A command that names no file, or one in a folder that is
 * not there: nothing is done.
 */
VG_MUST_CHECK struct vg_error *vg_dependencies_keep(const struct vg_compile_command *command,
						    const char *file, const char *unmap);

/* The first rule of a make(1) fragment as compilers write it: its prerequisites. */
void vg_make_rule_parse(const char *text, struct vg_words *prerequisites);

/* ninja's log of dependencies: .ninja_deps. */
struct vg_ninja_record {
	const char *output; /* owned by the log */
	uint64_t mtime;	    /* ns; of the output when it was recorded */
	uint32_t *inputs;   /* indices of paths */
	size_t input_count;
};
struct vg_ninja_log {
	struct vg_words paths;
	struct vg_ninja_record *records; /* one for each path; no output: none was recorded */
	struct vg_ninja_record **sorted; /* those with an output, by name */
	size_t sorted_count;
};
/* A damaged tail is ignored, as ninja does: what stands before it is good. */
VG_MUST_CHECK struct vg_error *vg_ninja_log_parse(const void *bytes, size_t size,
						  struct vg_ninja_log *log);
const struct vg_ninja_record *vg_ninja_log_find(const struct vg_ninja_log *log, const char *output);
void vg_ninja_log_clear(struct vg_ninja_log *log);

#endif
