/* SPDX-License-Identifier: MIT */
/* One more C file with the flags of the first unit: a hook. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/compile_jobs.h"
#include "differ/units.h"

/* <vgraft/hooks.h> lies beside the tool: PREFIX/bin/vgraft and PREFIX/include, or build/vgraft. */
static void add_own_headers(struct vg_words *words)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length <= 0)
		return;
	self[length] = '\0';

	_cleanup_free_ char *folder = vg_path_parent(self);
	_cleanup_free_ char *prefix = folder ? vg_path_parent(folder) : NULL;
	_cleanup_free_ char *header =
		prefix ? vg_format("%s/include/vgraft/hooks.h", prefix) : NULL;

	if (header && !access(header, R_OK))
		vg_words_format(words, "-I%s/include", prefix);
}

static struct vg_error *compile(struct vg_unit_plan *plan, const char *path, const char *object)
{
	const struct vg_planned_unit *unit = &plan->units[0];
	struct vg_job job = {.log = vg_format("%s.log", object)};

	job.directory = vg_format("%s%s", plan->post.root, unit->command->directory);

	struct vg_error *error =
		job.log && job.directory
			? vg_compile_flags_command(&unit->flags, &plan->post, VG_COMPILE_SECTIONS,
						   path, object, NULL, &job.command)
			: vg_error_no_memory();

	add_own_headers(&job.command);
	if (!error)
		error = vg_words_check(&job.command);
	if (!error)
		error = vg_jobs_run(&job, 1, plan->temp);
	if (!error && !vg_job_succeeded(&job)) {
		_cleanup_free_ char *message =
			vg_compiler_message(plan, job.log, unit->command->directory);

		error = vg_error_new(VG_REFUSED, "%s (%s does not compile with the flags of %s)",
				     message ?: "", path, unit->file);
	}
	vg_job_clear(&job);
	return error;
}

struct vg_error *vg_units_compile_extra(struct vg_units *units, const char *file, char **object)
{
	struct vg_unit_plan *plan = units->plan;
	char real[PATH_MAX];

	if (!plan || !plan->count)
		return vg_error_new(VG_REFUSED,
				    "cannot compile %s: the diff reaches no unit whose flags it "
				    "could have",
				    file);
	if (!realpath(file, real) || access(real, R_OK))
		return vg_error_errno(VG_USAGE, errno, "cannot open %s", file);

	_cleanup_free_ char *output =
		vg_format("%s/out/extra-%u.o", plan->directory, plan->extras++);

	if (!output)
		return vg_error_no_memory();
	/* C files of the tree that no unit needs are left out of the shadow. */
	VG_TRY(vg_shadow_link(&plan->post, real));
	VG_TRY(compile(plan, real, output));
	*object = vg_take(output);
	return NULL;
}
