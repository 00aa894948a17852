/* SPDX-License-Identifier: MIT */
/* What `vgraft build` says of its result. */
#ifndef CLI_BUILD_ANSWER_H
#define CLI_BUILD_ANSWER_H

#include <jansson.h>

#include <vgraft/differ.h>

#include "cli/manifest.h"

/* The one object of --json. `package`: what a manifest was made ready from, or NULL. */
json_t *vg_build_answer(const struct vg_build_request *request,
			const struct vg_manifest_request *package,
			const struct vg_build_result *result);
/* The same for people, of a build that did not fail. */
void vg_build_say(const struct vg_build_request *request, const struct vg_build_result *result);

#endif
