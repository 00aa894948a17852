/* SPDX-License-Identifier: MIT */
/*
 * A manifest may come from anywhere. Any bytes are read; what is accepted must hold only names,
 * paths and checksums that can stand in a path or an argument without leaving their place. What
 * stands behind a form feed is a patch, out of which hunks are picked.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "differ/compile_files.h"
#include "differ/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool condition)
{
	if (!condition)
		abort();
}

static void check(const struct vg_manifest *manifest)
{
	const struct vg_manifest_binary *target = vg_manifest_target(manifest);

	insist(target && vg_manifest_is_path(target->path) && !strstr(target->path, "/../"));
	insist(target->package[0] != '-' && !strchr(target->package, '/'));
	for (size_t i = 0; i < manifest->files.count; i++)
		insist(!strchr(manifest->files.at[i].name, '/') &&
		       strlen(manifest->files.at[i].sha256) == 64);
	for (size_t i = 0; i < manifest->hunks.count; i++)
		insist(manifest->hunks.at[i].patch[0] != '/');
}

static const char *removed;

static void remove_patches(void)
{
	vg_remove_tree(removed);
}

/* One folder for the whole run. */
static const char *patches(void)
{
	static char folder[] = "/tmp/vgraft-fuzz-manifest-XXXXXX";
	static bool made;

	if (!made && mkdtemp(folder)) {
		made = true;
		removed = folder;
		atexit(remove_patches);
	}
	return made ? folder : NULL;
}

static void pick(struct vg_manifest *manifest, const uint8_t *data, size_t size)
{
	char path[512];
	const char *diff;

	for (size_t i = 0; i < manifest->hunks.count && patches(); i++) {
		snprintf(path, sizeof(path), "%s/%s", patches(), manifest->hunks.at[i].patch);
		vg_error_free(vg_write_file(path, (const char *)data, size, 0600));
	}
	if (patches())
		vg_error_free(vg_manifest_diff(manifest, patches(), &diff, &size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *feed = size ? memchr(data, '\f', size) : NULL;
	size_t length = feed ? (size_t)(feed - data) : size;
	struct vg_arena arena = {0};
	struct vg_manifest *manifest;
	struct vg_error *error =
		vg_manifest_parse(&arena, (const char *)data, length, "fuzz", &manifest);

	if (!error) {
		check(manifest);
		pick(manifest, data + length + !!feed, size - length - !!feed);
	}
	vg_error_free(error);
	vg_arena_clear(&arena);
	return 0;
}
