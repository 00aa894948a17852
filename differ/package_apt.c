/* SPDX-License-Identifier: MIT */
/*
 * A private apt: the machine's own sources, read from /etc/apt and written down again with deb-src
 * beside deb, and lists, state and archives of its own. Its status is that of an empty machine, so
 * that build dependencies come with everything that they need, whatever is installed here. Proxies
 * and keys are those of the machine (apt.conf and keyrings are not touched).
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/package.h"

#define SOURCES "/etc/apt"

/* One-line style, sources.list(5): each `deb` gets a `deb-src` beside it. */
static void write_list_line(FILE *out, const char *line)
{
	fprintf(out, "%s\n", line);
	line += strspn(line, " \t");
	if (vg_starts_with(line, "deb ") || vg_starts_with(line, "deb\t"))
		fprintf(out, "deb-src%s\n", line + 3);
}

/* deb822 style: `Types: deb` becomes `Types: deb deb-src`. */
static void write_deb822_line(FILE *out, const char *line)
{
	if (!strncasecmp(line, "Types:", 6) && strstr(line, "deb"))
		fprintf(out, "Types: deb deb-src\n");
	else
		fprintf(out, "%s\n", line);
}

static struct vg_error *copy_sources(const char *from, const char *to)
{
	_cleanup_free_ char *text = NULL, *written = NULL;
	bool deb822 = vg_ends_with(from, ".sources");
	size_t size;
	FILE *out;
	char *rest;

	VG_TRY(vg_read_file(from, VG_FAILED, &text, &size));
	out = open_memstream(&written, &size);
	if (!out)
		return vg_error_no_memory();
	rest = text;
	for (char *line; (line = strsep(&rest, "\n"));)
		(deb822 ? write_deb822_line : write_list_line)(out, line);
	if (fclose(out))
		return vg_error_no_memory();
	return vg_write_file(to, written, size, 0644);
}

static struct vg_error *copy_all_sources(const char *to)
{
	_cleanup_closedir_ DIR *dir = opendir(SOURCES "/sources.list.d");
	_cleanup_free_ char *main_list = vg_format("%s/sources.list", to);

	if (!main_list)
		return vg_error_no_memory();
	if (!access(SOURCES "/sources.list", R_OK))
		VG_TRY(copy_sources(SOURCES "/sources.list", main_list));
	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		_cleanup_free_ char *from = vg_format(SOURCES "/sources.list.d/%s", entry->d_name);
		_cleanup_free_ char *target = vg_format("%s/%s", to, entry->d_name);

		if (!from || !target)
			return vg_error_no_memory();
		if (vg_ends_with(from, ".list") || vg_ends_with(from, ".sources"))
			VG_TRY(copy_sources(from, target));
	}
	return NULL;
}

static struct vg_error *write_configuration(struct vg_package *package)
{
	const char *apt = package->apt;
	_cleanup_free_ char *path = vg_format("%s/apt.conf", apt);
	_cleanup_free_ char *status = vg_format("%s/status", apt);
	_cleanup_free_ char *text = vg_format("Dir::State \"%s/state\";\n"
					      "Dir::State::status \"%s/status\";\n"
					      "Dir::State::Lists \"%s/lists\";\n"
					      "Dir::Cache \"%s/cache\";\n"
					      "Dir::Cache::archives \"%s/archives\";\n"
					      "Dir::Etc::SourceList \"/dev/null\";\n"
					      "Dir::Etc::SourceParts \"%s/sources\";\n"
					      "Dir::Etc::Preferences \"/dev/null\";\n"
					      "Dir::Etc::PreferencesParts \"%s/preferences\";\n"
					      "APT::Install-Recommends \"false\";\n"
					      "APT::Architecture \"amd64\";\n"
					      "APT::Architectures {\"amd64\";};\n"
					      "APT::Sandbox::User \"\";\n"
					      "Binary::apt-get::APT::Keep-Downloaded-Packages "
					      "\"true\";\n",
					      apt, apt, apt, apt, apt, apt, apt);

	if (!path || !status || !text)
		return vg_error_no_memory();
	VG_TRY(vg_write_file(status, "", 0, 0644));
	return vg_write_file(path, text, strlen(text), 0644);
}

struct vg_error *vg_package_apt_open(struct vg_package *package)
{
	static const char *const folders[] = {
		"state", "lists/partial", "cache", "archives/partial", "sources", "preferences",
	};
	_cleanup_free_ char *sources = vg_format("%s/sources", package->apt);

	if (!sources)
		return vg_error_no_memory();
	vg_remove_tree(sources);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		_cleanup_free_ char *folder = vg_format("%s/%s", package->apt, folders[i]);

		if (!folder)
			return vg_error_no_memory();
		VG_TRY(vg_package_make_folder(folder));
	}
	VG_TRY(copy_all_sources(sources));
	return write_configuration(package);
}

static struct vg_error *apt_get(struct vg_package *package, const char *directory,
				const struct vg_words *words, const char *what)
{
	struct vg_words command = {0};

	vg_words_add(&command, "env");
	vg_words_format(&command, "APT_CONFIG=%s/apt.conf", package->apt);
	vg_words_add(&command, "apt-get");
	vg_words_add(&command, "-q");
	vg_words_append(&command, words);
	return vg_package_run(package, directory, &command, what, NULL);
}

/* A source of another vendor may not answer; whether the right ones did shows in what comes next.
 */
static void update(struct vg_package *package)
{
	struct vg_words words = {0};

	package->is_updated = true;
	vg_package_say(package, "reading the package lists of the machine's own apt sources, with "
				"source packages");
	vg_words_add(&words, "update");
	vg_error_free(apt_get(package, package->apt, &words, "update the package lists"));
	vg_words_clear(&words);
}

static bool has_lists(const struct vg_package *package)
{
	_cleanup_free_ char *path = vg_format("%s/lists", package->apt);
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;

	for (struct dirent *entry; dir && (entry = readdir(dir));)
		if (strstr(entry->d_name, "_Sources"))
			return true;
	return false;
}

struct vg_error *vg_package_apt(struct vg_package *package, const char *directory,
				const struct vg_words *words, const char *what)
{
	struct vg_error *error;

	if (!has_lists(package))
		update(package);
	error = apt_get(package, directory, words, what);
	if (!error || package->is_updated)
		return error;
	vg_error_free(error); /* old lists name files that the archive has dropped */
	update(package);
	return apt_get(package, directory, words, what);
}
