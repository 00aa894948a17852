/* SPDX-License-Identifier: MIT */
/*
 * The source as the target was built from it: the files of the source package, with the patches
 * that came later left out of the series, and the changelog cut to the target's version (the build
 * takes its version from there).
 */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/package.h"

struct vg_error *vg_package_dsc(const struct vg_package *package, const char **path)
{
	const struct vg_manifest *manifest = package->manifest;

	for (size_t i = 0; i < manifest->files.count; i++) {
		if (!vg_ends_with(manifest->files.at[i].name, ".dsc"))
			continue;
		*path = vg_arena_printf(package->arena, "%s/%s", package->files,
					manifest->files.at[i].name);
		return *path ? NULL : vg_error_no_memory();
	}
	return vg_error_new(VG_USAGE, "%s: no `file` line names the .dsc of the source package",
			    manifest->path);
}

const char *vg_package_source_key(const struct vg_package *package)
{
	const struct vg_manifest *manifest = package->manifest;
	const char *key = vg_arena_printf(package->arena, "%s\n", manifest->version);

	for (size_t i = 0; key && i < manifest->files.count; i++)
		key = vg_arena_printf(package->arena, "%s%s\n", key, manifest->files.at[i].sha256);
	for (size_t i = 0; key && i < manifest->left_out.count; i++)
		key = vg_arena_printf(package->arena, "%swithout %s\n", key,
				      manifest->left_out.at[i]);
	return key;
}

static bool is_left_out(const struct vg_manifest *manifest, const char *line, bool *seen)
{
	size_t length = strcspn(line, " \t#");

	for (size_t i = 0; i < manifest->left_out.count; i++) {
		if (strlen(manifest->left_out.at[i]) != length ||
		    strncmp(manifest->left_out.at[i], line, length) != 0)
			continue;
		seen[i] = true;
		return true;
	}
	return false;
}

static void copy_series(const struct vg_manifest *manifest, char *text, FILE *out, bool *seen)
{
	for (char *line; (line = strsep(&text, "\n"));)
		if (*line && !is_left_out(manifest, line, seen))
			fprintf(out, "%s\n", line);
}

static struct vg_error *all_seen(const struct vg_manifest *manifest, const bool *seen)
{
	for (size_t i = 0; i < manifest->left_out.count; i++)
		if (!seen[i])
			return vg_error_new(VG_USAGE,
					    "%s: %s %s has no patch %s that could be left out",
					    manifest->path, manifest->source,
					    manifest->source_version, manifest->left_out.at[i]);
	return NULL;
}

static struct vg_error *shorten_series(struct vg_package *package)
{
	const struct vg_manifest *manifest = package->manifest;
	_cleanup_free_ char *path = vg_format("%s/debian/patches/series", package->source);
	_cleanup_free_ char *text = NULL, *written = NULL;
	_cleanup_free_ bool *seen = calloc(manifest->left_out.count + 1, sizeof(*seen));
	size_t size;
	FILE *out;

	if (!path || !seen)
		return vg_error_no_memory();
	if (!manifest->left_out.count)
		return NULL;
	VG_TRY(vg_read_file(path, VG_FAILED, &text, &size));
	out = open_memstream(&written, &size);
	if (!out)
		return vg_error_no_memory();
	copy_series(manifest, text, out, seen);
	if (fclose(out))
		return vg_error_no_memory();
	VG_TRY(all_seen(manifest, seen));
	return vg_write_file(path, written, size, 0644);
}

/* An entry begins with "SOURCE (VERSION)" in the first column, Debian Policy 4.4. */
static struct vg_error *cut_changelog(struct vg_package *package)
{
	const struct vg_manifest *manifest = package->manifest;
	_cleanup_free_ char *path = vg_format("%s/debian/changelog", package->source);
	_cleanup_free_ char *entry = vg_format("%s (%s)", manifest->source, manifest->version);
	_cleanup_free_ char *text = NULL;
	size_t size;
	const char *at;

	if (!path || !entry)
		return vg_error_no_memory();
	VG_TRY(vg_read_file(path, VG_FAILED, &text, &size));
	for (at = text; at && !vg_starts_with(at, entry);) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	if (at)
		return vg_write_file(path, at, strlen(at), 0644);
	/* A binary-only rebuild (+b3) has an entry that the source does not hold. */
	_cleanup_free_ char *longer =
		vg_format("%s (%s) unstable; urgency=low\n\n  * Binary-only rebuild.\n\n"
			  " -- nobody <nobody@localhost>  Thu, 01 Jan 1970 00:00:00 +0000\n\n%s",
			  manifest->source, manifest->version, text);
	if (!longer)
		return vg_error_no_memory();
	return vg_write_file(path, longer, strlen(longer), 0644);
}

static struct vg_error *dpkg_source(struct vg_package *package, const char *directory,
				    const char *const words[], const char *what)
{
	struct vg_words command = {0};

	vg_package_env(package, &command);
	vg_words_add(&command, "dpkg-source");
	for (size_t i = 0; words[i]; i++)
		vg_words_add(&command, words[i]);
	return vg_package_run(package, directory, &command, what, NULL);
}

static struct vg_error *make(struct vg_package *package)
{
	const char *dsc;

	VG_TRY(vg_package_dsc(package, &dsc));
	vg_package_say(package, "unpacking the source of %s %s", package->manifest->source,
		       package->manifest->version);
	vg_remove_tree(package->source);
	/* The manifest's checksums are checked; the signature would need the distribution's keys.
	 */
	VG_TRY(dpkg_source(package, package->folder,
			   (const char *const[]){"--no-check", "--no-copy", "--skip-patches", "-x",
						 dsc, package->source, NULL},
			   "unpack the source package"));
	VG_TRY(shorten_series(package));
	VG_TRY(dpkg_source(package, package->source,
			   (const char *const[]){"--before-build", ".", NULL},
			   "apply the patches of the source package"));
	return cut_changelog(package);
}

struct vg_error *vg_package_unpack_source(struct vg_package *package)
{
	const char *from = vg_package_source_key(package);

	if (!from)
		return vg_error_no_memory();
	if (vg_package_is_done(package, "source", from))
		return NULL;
	VG_TRY(make(package));
	return vg_package_set_done(package, "source", from);
}
