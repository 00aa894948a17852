/* SPDX-License-Identifier: MIT */
#include "cli/manifest.h"

#include <string.h>

#include <vgraft/rules.h>

#include "cli/report.h"
#include "common/clock.h"
#include "common/error.h"

static void say_line(void *context, const char *line)
{
	(void)context;
	vg_say("%s", line);
}

static struct vg_error *join_cves(struct vg_manifest_request *from,
				  struct vg_build_request *request)
{
	const struct vg_manifest *manifest = from->manifest;

	for (size_t i = 0; i < manifest->cves.count; i++) {
		request->cve = i ? vg_arena_printf(&from->arena, "%s,%s", request->cve,
						   manifest->cves.at[i])
				 : manifest->cves.at[i];
		if (!request->cve)
			return vg_error_no_memory();
	}
	return NULL;
}

/* Rules that the command line allows come on top of those that the manifest does. */
static struct vg_error *join_allowed(struct vg_manifest_request *from,
				     struct vg_build_request *request)
{
	struct vg_manifest *manifest = from->manifest;

	for (size_t i = 0; i < request->allow_count; i++)
		if (!vg_list_push(&from->arena, &manifest->allow, request->allow[i]))
			return vg_error_no_memory();
	request->allow = manifest->allow.at;
	request->allow_count = manifest->allow.count;
	return NULL;
}

struct vg_error *vg_manifest_request_read(struct vg_manifest_request *from, const char *path,
					  struct vg_build_request *request)
{
	struct vg_manifest *manifest;

	from->package.lock = -1;
	VG_TRY(vg_manifest_open(&from->arena, path, &manifest));
	from->manifest = manifest;
	request->name = manifest->name;
	request->depends = manifest->depends.at;
	request->depend_count = manifest->depends.count;
	request->hooks = manifest->hooks.at;
	request->hook_count = manifest->hooks.count;
	request->replace = manifest->replace;
	VG_TRY(join_allowed(from, request));
	return join_cves(from, request);
}

static bool is_allowed(const struct vg_build_request *request, const char *rule)
{
	for (size_t i = 0; i < request->allow_count; i++)
		if (!strcmp(request->allow[i], rule))
			return true;
	return false;
}

/*
 * Values that the old code has computed and the new code reads are no change of a type or of
 * initial data; only who wrote the manifest knows of them.
 */
static struct vg_error *check_live(const struct vg_manifest *manifest,
				   const struct vg_build_request *request)
{
	if (!manifest->live || manifest->hooks.count || is_allowed(request, VG_RULE_DATA))
		return NULL;
	return vg_error_refuse(VG_RULE_DATA,
			       "%s: the fix needs other values in live objects than the old code "
			       "left there: %s; set them from a hook, or --allow data if the old "
			       "ones may stay",
			       manifest->path, manifest->live);
}

struct vg_error *vg_manifest_request_fill(struct vg_manifest_request *from, const char *work,
					  struct vg_build_request *request)
{
	struct vg_package *package = &from->package;
	double start = vg_now_ms();

	VG_TRY(check_live(from->manifest, request));
	*package = (struct vg_package){.manifest = from->manifest, .say = say_line, .lock = -1};
	VG_TRY(vg_package_prepare(package, work, request->target));
	request->source = package->source;
	request->diffs = &package->diff;
	request->diff_count = 1;
	request->compdbs = &package->compdb;
	request->compdb_count = 1;
	request->target = package->binary;
	request->own_build_directory = true;
	request->exact_source = true;
	from->ms = vg_now_ms() - start;
	return NULL;
}

void vg_manifest_request_clear(struct vg_manifest_request *from)
{
	vg_package_close(&from->package);
	vg_arena_clear(&from->arena);
}
