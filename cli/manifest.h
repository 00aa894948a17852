/* SPDX-License-Identifier: MIT */
/* `vgraft build --manifest`: the request of a build, filled from a manifest. */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include <vgraft/differ.h>

#include "differ/package.h"

/* What a filled request points into; must stay until the build is over. */
struct vg_manifest_request {
	struct vg_arena arena;
	struct vg_manifest *manifest;
	struct vg_package package;
	double ms; /* that the preparation took */
};

/* Reads the manifest: the request has a name from then on. */
VG_MUST_CHECK struct vg_error *vg_manifest_request_read(struct vg_manifest_request *from,
							const char *path,
							struct vg_build_request *request);
/*
 * Makes package, source and headers ready below `work`, and fills the request; request->target may
 * be set before. Says on stderr what takes long.
 */
VG_MUST_CHECK struct vg_error *vg_manifest_request_fill(struct vg_manifest_request *from,
							const char *work,
							struct vg_build_request *request);
void vg_manifest_request_clear(struct vg_manifest_request *from);

#endif
