/* SPDX-License-Identifier: MIT */
#include "patcher/hook.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "patcher/clock.h"
#include "patcher/hook_thread.h"
#include "patcher/result.h"

struct vg_error *vg_hooks_prepare(struct vg_session *session, const struct vg_patch *patch,
				  uint64_t *segments, struct vg_hooks *hooks)
{
	*hooks = (struct vg_hooks){.session = session, .patch = patch, .segments = segments};
	if (!patch || !patch->hook_count)
		return NULL;
	return vg_gadgets_find(&session->target.memory, &session->maps, &hooks->gadgets);
}

bool vg_hooks_has(const struct vg_patch *patch, enum vgp_hook_when when)
{
	for (size_t i = 0; patch && i < patch->hook_count; i++)
		if (patch->hooks[i].when == when)
			return true;
	return false;
}

static void free_thread(struct vg_hook_thread **thread)
{
	if (*thread)
		vg_hook_thread_clear(*thread);
	free(*thread);
}

static struct vg_error *choose(struct vg_hooks *hooks, struct vg_hook_thread **thread)
{
	*thread = calloc(1, sizeof(**thread));
	if (!*thread)
		return vg_error_new(VG_FAILED, "out of memory for a thread that runs a hook");
	(*thread)->hooks = hooks;
	return vg_hook_thread_choose(*thread);
}

struct vg_error *vg_hooks_can_run(struct vg_hooks *hooks)
{
	_cleanup_(free_thread) struct vg_hook_thread *thread = NULL;

	return choose(hooks, &thread);
}

/* NULL: it returned; the verdict is left to the caller. */
static struct vg_error *explain(const struct vg_hooks *hooks, const struct vgp_hook *hook,
				const struct vg_hook_result *result)
{
	const char *patch = vg_patch_name(hooks->patch);
	const char *name = vg_patch_string(hooks->patch, hook->name);
	uint64_t start = hooks->segments[hook->segment];

	switch (result->end) {
	case VG_HOOK_RETURNED:
		return NULL;
	case VG_HOOK_FAULT:
		return vg_error_new(VG_REFUSED,
				    "the hook %s of patch %s ended with %s at 0x%" PRIx64
				    " (+0x%" PRIx64 " in the code of the patch)",
				    name, patch, strsignal(result->signal), result->address,
				    result->address - start);
	case VG_HOOK_TIMEOUT:
		return vg_error_new(VG_REFUSED,
				    "the hook %s of patch %s did not return within 2 s and was "
				    "stopped",
				    name, patch);
	default:
		return vg_error_new(VG_FAILED,
				    "the thread of process %d that ran the hook %s of patch %s "
				    "did not come back",
				    hooks->session->target.pid, name, patch);
	}
}

static struct vg_error *run_one(struct vg_hooks *hooks, const struct vgp_hook *hook, bool may_veto)
{
	_cleanup_(free_thread) struct vg_hook_thread *thread = NULL;
	struct vg_hook_result result;

	VG_TRY(choose(hooks, &thread));
	VG_TRY(vg_hook_thread_run(thread, hooks->segments[hook->segment] + hook->offset, &result));
	VG_TRY(explain(hooks, hook, &result));
	if (!may_veto || !result.verdict)
		return NULL;
	return vg_error_new(VG_REFUSED, "the hook %s of patch %s vetoed (%" PRId64 ")",
			    vg_patch_string(hooks->patch, hook->name), vg_patch_name(hooks->patch),
			    result.verdict);
}

static void count_time(struct vg_hooks *hooks, uint64_t start)
{
	uint64_t spent = vg_clock_now() - start;

	hooks->stop.nanoseconds += spent;
	hooks->session->result->hook_us += (double)spent / 1000.0;
}

struct vg_error *vg_hooks_run_pre(struct vg_hooks *hooks, enum vgp_hook_when when)
{
	uint64_t start = vg_clock_now();
	struct vg_error *error = NULL;

	for (size_t i = 0; i < hooks->patch->hook_count && !error; i++)
		if (hooks->patch->hooks[i].when == when)
			error = run_one(hooks, &hooks->patch->hooks[i], true);
	count_time(hooks, start);
	return error;
}

void vg_hooks_run_post(struct vg_hooks *hooks, enum vgp_hook_when when)
{
	uint64_t start = vg_clock_now();

	for (size_t i = 0; i < hooks->patch->hook_count; i++) {
		if (hooks->patch->hooks[i].when != when)
			continue;

		struct vg_error *error = run_one(hooks, &hooks->patch->hooks[i], false);

		if (error)
			vg_result_note(hooks->session->result, "%s", vg_error_text(error));
		vg_error_free(error);
	}
	count_time(hooks, start);
}
