/* SPDX-License-Identifier: MIT */
/*
 * What is done to each program, and what is expected at each step:
 *
 *    1  copy, compile, link; start the process                    it answers as `before` says
 *    2  vgraft build, inspect                                     functions as listed; the source
 *                                                                 tree is untouched
 *    3  vgraft check                                              `ok`, and nothing has changed
 *    4  vgraft apply                                              answers as `after` says
 *    5  vgraft status; apply again                                listed; `already`
 *    6  vgraft revert                                             answers as `reverted` says; maps
 *                                                                 and code are those of step 3
 *    7  vgraft apply                                              answers as `reapplied` says
 *    8  end of input                                              it exits with `exit`
 *
 * A change that is `busy` is tried in vain at steps 3 and 4, and nothing has changed.
 * A change that must be refused ends behind `vgraft build`; then its twin, a harmless change to the
 * same function, goes through all steps: the refusal is for the change, not for the program.
 */
#include "tests/corpus/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "tests/corpus/live.h"
#include "tests/corpus/verb.h"

static struct vg_error *apply_and_revert(const struct verbs *verbs, const struct change *change,
					 struct live *live, const struct expect *expect)
{
	int threads = expect->threads;
	_cleanup_(snapshot_cleanup) struct snapshot *before = NULL, *after = NULL;

	VG_TRY(snapshot_take(live, &before));
	VG_TRY(verb_process(verbs, "check", live->pid, "ok", threads));
	VG_TRY(verb_process(verbs, "apply", live->pid, "applied", threads));
	VG_TRY(live_ask(live, &change->after, "after apply"));
	VG_TRY(verb_status(verbs, change, live->pid, true));
	VG_TRY(verb_process(verbs, "apply", live->pid, "already", threads));
	VG_TRY(verb_process(verbs, "revert", live->pid, "reverted", threads));
	VG_TRY(live_ask(live, &change->reverted, "after revert"));
	VG_TRY(verb_status(verbs, change, live->pid, false));
	VG_TRY(snapshot_take(live, &after));
	if (expect->stays)
		snapshot_leave_out_new_code(before, after);

	struct vg_error *error = snapshot_compare(before, after);

	return error ? vg_error_prefix(error, "after revert") : NULL;
}

/* What cannot go in changes nothing, however often it is tried. */
static struct vg_error *try_in_vain(const struct verbs *verbs, const struct change *change,
				    struct live *live)
{
	_cleanup_(snapshot_cleanup) struct snapshot *before = NULL, *after = NULL;

	VG_TRY(snapshot_take(live, &before));
	VG_TRY(verb_busy(verbs, "check", live->pid, change->blocker));
	VG_TRY(verb_busy(verbs, "apply", live->pid, change->blocker));
	VG_TRY(live_ask(live, &change->after, "after an apply in vain"));
	VG_TRY(verb_status(verbs, change, live->pid, false));
	VG_TRY(snapshot_take(live, &after));
	struct vg_error *error = snapshot_compare(before, after);

	return error ? vg_error_prefix(error, "after an apply in vain") : NULL;
}

static struct vg_error *patch_live(const struct session *session, const struct verbs *verbs,
				   const struct change *change, struct live *live)
{
	int threads = session->expect->threads;

	VG_TRY(live_start(live, verbs->workspace->executable, verbs->workspace->out));
	VG_TRY(live_ask(live, &change->before, "before apply"));
	VG_TRY(verb_build(verbs, change));
	if (session->expect->rebuild)
		VG_TRY(verb_rebuild(verbs, change));
	VG_TRY(verb_inspect(verbs, change));
	if (change_is_busy(change)) {
		VG_TRY(try_in_vain(verbs, change, live));
		return live_end(live, session->expect->exit);
	}
	VG_TRY(apply_and_revert(verbs, change, live, session->expect));
	VG_TRY(verb_process(verbs, "apply", live->pid, "applied", threads));
	VG_TRY(live_ask(live, &change->reapplied, "after the second apply"));
	return live_end(live, session->expect->exit);
}

static struct vg_error *run_change(const struct session *session, const struct verbs *verbs,
				   const struct change *change)
{
	struct live live = {0};

	if (!change_is_built(change))
		return verb_build(verbs, change);
	struct vg_error *error = patch_live(session, verbs, change, &live);

	live_kill(&live);
	return error;
}

static struct vg_error *run_changes(const struct session *session, struct workspace *workspace)
{
	const struct expect *expect = session->expect;
	_cleanup_free_ char *object = NULL;

	VG_TRY(workspace_make(workspace, expect, &session->configuration));
	if (asprintf(&object, "%s/fix.vgp", workspace->out) < 0)
		return vg_error_new(VG_FAILED, "out of memory");
	struct verbs verbs = {
		.vgraft = session->vgraft,
		.workspace = workspace,
		.object = object,
		.names_are_checked = session->names_are_checked,
	};
	VG_TRY(run_change(session, &verbs, &expect->change));
	if (!expect->twin.diff)
		return NULL;
	struct vg_error *error = run_change(session, &verbs, &expect->twin);

	return error ? vg_error_prefix(error, "twin") : NULL;
}

struct vg_error *session_run(const struct session *session)
{
	_cleanup_(workspace_clear) struct workspace workspace = {
		.folder = session->folder,
		.directory = strdup(session->directory),
	};
	struct vg_error *error = run_changes(session, &workspace);

	if ((!error || session->expect->pending) && !session->keep)
		workspace_remove(&workspace);
	return error;
}
