/* SPDX-License-Identifier: MIT */
/*
 * The files of packages: from the folder that VGRAFT_PACKAGE_CACHE names, because archives drop a
 * version when the next one comes, otherwise from apt. In both cases the manifest's checksum
 * decides.
 */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/package.h"

static struct vg_error *digest(const char *path, char hex[2 * crypto_hash_sha256_BYTES + 1])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t sum[crypto_hash_sha256_BYTES], buffer[65536];
	crypto_hash_sha256_state state;
	ssize_t count;

	if (fd < 0)
		return vg_error_errno(VG_USAGE, errno, "cannot read %s", path);
	crypto_hash_sha256_init(&state);
	while ((count = read(fd, buffer, sizeof(buffer))) > 0)
		crypto_hash_sha256_update(&state, buffer, (size_t)count);
	if (count < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot read %s", path);
	crypto_hash_sha256_final(&state, sum);
	sodium_bin2hex(hex, 2 * crypto_hash_sha256_BYTES + 1, sum, sizeof(sum));
	return NULL;
}

/* Not there is false; there with another checksum is an error. */
static struct vg_error *is_it(const char *path, const char *sha256, bool *it_is)
{
	char hex[2 * crypto_hash_sha256_BYTES + 1];

	*it_is = false;
	if (access(path, F_OK) < 0)
		return NULL;
	VG_TRY(digest(path, hex));
	if (strcmp(hex, sha256) != 0)
		return vg_error_new(
			VG_REFUSED,
			"%s is not the file that the manifest means: its SHA-256 is %s, "
			"not %s",
			path, hex, sha256);
	*it_is = true;
	return NULL;
}

/* A file of the cache that is not the one that is meant is said to be so, and passed over. */
static const char *in_cache(struct vg_package *package, const char *name, const char *sha256)
{
	const char *cache = getenv("VGRAFT_PACKAGE_CACHE");
	char *path = cache && *cache ? vg_arena_printf(package->arena, "%s/%s", cache, name) : NULL;
	char *real;
	bool it_is = false;
	struct vg_error *error = path ? is_it(path, sha256, &it_is) : NULL;

	if (error)
		vg_package_say(package, "VGRAFT_PACKAGE_CACHE: %s; it is not used",
			       vg_error_text(error));
	vg_error_free(error);
	real = it_is ? realpath(path, NULL) : NULL;
	path = real ? vg_arena_strdup(package->arena, real) : NULL;
	free(real);
	return path;
}

/* Is the file in files/, now? A link stands for one of the cache. */
static struct vg_error *is_there(struct vg_package *package, const char *name, const char *sha256,
				 bool *there)
{
	_cleanup_free_ char *path = vg_format("%s/%s", package->files, name);
	const char *cached;

	if (!path)
		return vg_error_no_memory();
	*there = false;
	cached = in_cache(package, name, sha256);
	if (!cached)
		return is_it(path, sha256, there);
	if (unlink(path) < 0 && errno != ENOENT)
		return vg_error_errno(VG_FAILED, errno, "cannot replace %s", path);
	if (symlink(cached, path) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot link %s to %s", path, cached);
	*there = true;
	return NULL;
}

static struct vg_error *offered_nowhere(const char *name, const char *version,
					struct vg_error *error)
{
	const char *cache = getenv("VGRAFT_PACKAGE_CACHE");
	struct vg_error *nowhere = vg_error_new(
		VG_USAGE,
		"%s %s is neither in the folder VGRAFT_PACKAGE_CACHE (%s) nor offered by apt; put "
		"its "
		"files there, or add a source that has this version: %s",
		name, version, cache && *cache ? cache : "not set", vg_error_text(error));

	vg_error_free(error);
	return nowhere;
}

static struct vg_error *download_source(struct vg_package *package)
{
	const struct vg_manifest *manifest = package->manifest;
	struct vg_words words = {0};
	struct vg_error *error;

	vg_package_say(package, "fetching the source package %s %s", manifest->source,
		       manifest->source_version);
	vg_words_add(&words, "source");
	vg_words_add(&words, "--download-only");
	vg_words_add(&words, "--only-source");
	vg_words_format(&words, "%s=%s", manifest->source, manifest->source_version);
	error = vg_package_apt(package, package->files, &words, "fetch the source package");
	vg_words_clear(&words);
	return error ? offered_nowhere(manifest->source, manifest->source_version, error) : NULL;
}

struct vg_error *vg_package_fetch_source(struct vg_package *package)
{
	const struct vg_manifest *manifest = package->manifest;
	bool there, all = true;

	for (size_t i = 0; i < manifest->files.count; i++) {
		const struct vg_manifest_file *file = &manifest->files.at[i];

		VG_TRY(is_there(package, file->name, file->sha256, &there));
		all = all && there;
	}
	if (all)
		return NULL;
	VG_TRY(download_source(package));
	for (size_t i = 0; i < manifest->files.count; i++) {
		const struct vg_manifest_file *file = &manifest->files.at[i];

		VG_TRY(is_there(package, file->name, file->sha256, &there));
		if (!there)
			return vg_error_new(VG_USAGE,
					    "%s %s has no file %s; the manifest names one",
					    manifest->source, manifest->source_version, file->name);
	}
	return NULL;
}

static const char *sha256_of(const struct vg_manifest *manifest, const char *name)
{
	for (size_t i = 0; i < manifest->packages.count; i++)
		if (!strcmp(manifest->packages.at[i].name, name))
			return manifest->packages.at[i].sha256;
	return "";
}

/* As apt names it: the colon of an epoch is %3a. */
static const char *deb_name(struct vg_package *package, const char *name, const char *architecture)
{
	const char *version = package->manifest->version, *colon = strchr(version, ':');

	if (!colon)
		return vg_arena_printf(package->arena, "%s_%s_%s.deb", name, version, architecture);
	return vg_arena_printf(package->arena, "%s_%.*s%%3a%s_%s.deb", name, (int)(colon - version),
			       version, colon + 1, architecture);
}

static struct vg_error *find_deb(struct vg_package *package, const char *name, const char **path)
{
	static const char *const architectures[] = {"amd64", "all"};
	bool there;

	*path = NULL;
	for (size_t i = 0; i < 2 && !*path; i++) {
		const char *file = deb_name(package, name, architectures[i]);

		if (!file)
			return vg_error_no_memory();
		VG_TRY(is_there(package, file, sha256_of(package->manifest, name), &there));
		if (there)
			*path = vg_arena_printf(package->arena, "%s/%s", package->files, file);
	}
	return NULL;
}

static struct vg_error *download_binary(struct vg_package *package, const char *name)
{
	const char *version = package->manifest->version;
	struct vg_words words = {0};
	struct vg_error *error;

	vg_package_say(package, "fetching %s %s", name, version);
	vg_words_add(&words, "download");
	vg_words_format(&words, "%s=%s", name, version);
	error = vg_package_apt(package, package->files, &words, "fetch the binary package");
	vg_words_clear(&words);
	return error ? offered_nowhere(name, version, error) : NULL;
}

struct vg_error *vg_package_fetch_binary(struct vg_package *package, const char *name,
					 const char **path)
{
	VG_TRY(find_deb(package, name, path));
	if (*path)
		return NULL;
	VG_TRY(download_binary(package, name));
	VG_TRY(find_deb(package, name, path));
	if (!*path)
		return vg_error_new(VG_FAILED, "apt brought %s %s under another name than expected",
				    name, package->manifest->version);
	return NULL;
}
