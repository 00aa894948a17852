/* SPDX-License-Identifier: MIT */
#include "tests/corpus/workspace.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/text_file.h"

/* Starts a program that was compiled as a library, with its main() renamed. */
static const char linked_launcher[] = "int program_main(int argc, char **argv);\n"
				      "int main(int argc, char **argv)\n"
				      "{\n"
				      "	return program_main(argc, argv);\n"
				      "}\n";
static const char loading_launcher[] =
	"#include <dlfcn.h>\n"
	"int main(int argc, char **argv)\n"
	"{\n"
	"	void *plugin = dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);\n"
	"	int (*start)(int, char **);\n"
	"	*(void **)&start = plugin ? dlsym(plugin, \"program_main\") : 0;\n"
	"	return start ? start(argc, argv) : 99;\n"
	"}\n";

static bool is_library(enum target_type type)
{
	return type == TYPE_SHARED || type == TYPE_PLUGIN;
}

static struct vg_error *must_run(const struct arguments *arguments, const char *directory)
{
	_cleanup_(run_clear) struct run run = {0};

	VG_TRY(run_command(arguments, directory, &run));
	if (run.code == 0)
		return NULL;
	return vg_error_new(VG_FAILED, "%s ended with %d: %.300s", arguments->words[0], run.code,
			    run.err);
}

static struct vg_error *copy_sources(const struct workspace *workspace)
{
	_cleanup_(arguments_clear) struct arguments copy = {0};

	arguments_split(&copy, "cp -r");
	arguments_addf(&copy, "%s/.", workspace->folder);
	arguments_add(&copy, workspace->source);
	return must_run(&copy, "/");
}

static void add_type_flags(struct arguments *arguments, enum target_type type)
{
	switch (type) {
	case TYPE_PIE:
	case TYPE_STATIC_PIE:
		arguments_add(arguments, "-fPIE");
		break;
	case TYPE_NOPIE:
	case TYPE_STATIC:
		arguments_add(arguments, "-fno-pie");
		break;
	case TYPE_SHARED:
	case TYPE_PLUGIN:
		arguments_split(arguments, "-fPIC -Dmain=program_main");
		break;
	}
}

static void compile_command(struct arguments *arguments, const struct expect *expect,
			    const struct configuration *configuration, const char *unit)
{
	arguments_add(arguments, configuration->cc);
	add_type_flags(arguments, configuration->type);
	arguments_split(arguments, expect->cflags);
	if (configuration->level)
		arguments_add(arguments, configuration->level);
	arguments_add(arguments, "-c");
	arguments_add(arguments, unit);
	arguments_add(arguments, "-o");
	arguments_addf(arguments, "../out/%.*s.o", (int)(strlen(unit) - 2), unit);
}

static struct vg_error *compile_unit(const struct workspace *workspace, const struct expect *expect,
				     const struct configuration *configuration, const char *unit)
{
	_cleanup_(arguments_clear) struct arguments compile = {0};

	compile_command(&compile, expect, configuration, unit);
	arguments_split(&compile, expect->target_cflags);
	if (expect->target_cc) {
		free(compile.words[0]);
		compile.words[0] = strdup(expect->target_cc);
	}
	return must_run(&compile, workspace->source);
}

static bool is_listed(const char *list, const char *word)
{
	_cleanup_(arguments_clear) struct arguments words = {0};

	arguments_split(&words, list);
	for (size_t i = 0; i < words.count; i++)
		if (strcmp(words.words[i], word) == 0)
			return true;
	return false;
}

static void add_command(json_t *commands, const struct workspace *workspace,
			const struct expect *expect, const struct configuration *configuration,
			const char *unit, const char *more)
{
	_cleanup_(arguments_clear) struct arguments compile = {0};
	json_t *command = json_object();
	json_t *words = json_array();

	compile_command(&compile, expect, configuration, unit);
	arguments_split(&compile, more);
	if (more)
		arguments_addf(&compile, "-o../out/other-%.*s.o", (int)(strlen(unit) - 2), unit);
	for (size_t i = 0; i < compile.count; i++)
		json_array_append_new(words, json_string(compile.words[i]));
	json_object_set_new(command, "directory", json_string(workspace->source));
	json_object_set_new(command, "file", json_string(unit));
	json_object_set_new(command, "arguments", words);
	json_array_append_new(commands, command);
}

static struct vg_error *write_commands(const struct workspace *workspace,
				       const struct expect *expect,
				       const struct configuration *configuration,
				       const struct arguments *units)
{
	_cleanup_free_ char *path = NULL;
	json_t *commands = json_array();

	for (size_t i = 0; i < units->count; i++)
		if (!is_listed(expect->outside, units->words[i])) {
			if (expect->other_cflags)
				add_command(commands, workspace, expect, configuration,
					    units->words[i], expect->other_cflags);
			add_command(commands, workspace, expect, configuration, units->words[i],
				    NULL);
		}
	if (asprintf(&path, "%s/compile_commands.json", workspace->out) < 0)
		path = NULL;
	int failed = !path || json_dump_file(commands, path, JSON_INDENT(1)) != 0;
	json_decref(commands);
	return failed ? vg_error_new(VG_FAILED, "cannot write compile_commands.json") : NULL;
}

static struct vg_error *link_target(const struct workspace *workspace, const struct expect *expect,
				    const struct configuration *configuration,
				    const struct arguments *units)
{
	static const char *const flags[] = {
		[TYPE_PIE] = "-pie",	   [TYPE_NOPIE] = "-no-pie",
		[TYPE_STATIC] = "-static", [TYPE_SHARED] = "-shared",
		[TYPE_PLUGIN] = "-shared", [TYPE_STATIC_PIE] = "-static-pie",
	};
	_cleanup_(arguments_clear) struct arguments link = {0};

	arguments_add(&link, expect->target_cc ? expect->target_cc : configuration->cc);
	arguments_add(&link, flags[configuration->type]);
	arguments_split(&link, "-Wl,--build-id -o");
	arguments_add(&link, workspace->target);
	for (size_t i = 0; i < units->count; i++)
		if (!is_listed(expect->unlinked, units->words[i]))
			arguments_addf(&link, "%.*s.o", (int)(strlen(units->words[i]) - 2),
				       units->words[i]);
	arguments_split(&link, expect->ldflags);
	return must_run(&link, workspace->out);
}

/* Whole programs are patched as libraries too: a launcher calls their main(). */
static struct vg_error *build_launcher(const struct workspace *workspace, enum target_type type)
{
	_cleanup_(arguments_clear) struct arguments compile = {0};
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *file = NULL;

	if (asprintf(&path, "%s/launcher.c", workspace->out) < 0 || !(file = fopen(path, "w")))
		return vg_error_errno(VG_FAILED, errno, "cannot write the launcher");
	fputs(type == TYPE_SHARED ? linked_launcher : loading_launcher, file);
	fflush(file);
	arguments_split(&compile, "gcc -O2 launcher.c -o launcher");
	if (type == TYPE_SHARED)
		arguments_add(&compile, workspace->target);
	else
		arguments_addf(&compile, "-DPLUGIN=\"%s\"", workspace->target);
	return must_run(&compile, workspace->out);
}

/* The symbols go into a file of their own, as distributions ship them. */
static struct vg_error *split_symbols(const struct workspace *workspace)
{
	_cleanup_(arguments_clear) struct arguments keep = {0};

	arguments_split(&keep, "objcopy --only-keep-debug");
	arguments_add(&keep, workspace->target);
	arguments_addf(&keep, "%s.debug", workspace->target);
	return must_run(&keep, workspace->out);
}

static struct vg_error *strip_target(const struct workspace *workspace, const char *what)
{
	_cleanup_(arguments_clear) struct arguments strip = {0};
	bool split = strcmp(what, "split") == 0;

	if (split)
		VG_TRY(split_symbols(workspace));
	arguments_add(&strip, "strip");
	arguments_addf(&strip, "--strip-%s", split ? "all" : what);
	arguments_add(&strip, workspace->target);
	return must_run(&strip, workspace->out);
}

static int is_unit(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 2 && strcmp(entry->d_name + length - 2, ".c") == 0;
}

static struct vg_error *find_units(const struct workspace *workspace, struct arguments *units)
{
	struct dirent **entries;
	int count = scandir(workspace->folder, &entries, is_unit, alphasort);

	if (count < 0)
		return vg_error_errno(VG_USAGE, errno, "cannot read %s", workspace->folder);
	for (int i = 0; i < count; i++) {
		arguments_add(units, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return NULL;
}

static struct vg_error *make_directories(struct workspace *workspace, enum target_type type)
{
	const char *name = strrchr(workspace->folder, '/');

	name = name ? name + 1 : workspace->folder;
	if (asprintf(&workspace->source, "%s/source", workspace->directory) < 0 ||
	    asprintf(&workspace->out, "%s/out", workspace->directory) < 0 ||
	    asprintf(&workspace->target, is_library(type) ? "%s/lib%s.so" : "%s/%s", workspace->out,
		     name) < 0 ||
	    asprintf(&workspace->executable, is_library(type) ? "%s/launcher" : "%s/%s",
		     workspace->out, name) < 0)
		return vg_error_new(VG_FAILED, "out of memory");
	if (mkdir(workspace->directory, 0777) != 0 || mkdir(workspace->source, 0777) != 0 ||
	    mkdir(workspace->out, 0777) != 0)
		return vg_error_errno(VG_FAILED, errno, "cannot make %s", workspace->directory);
	return NULL;
}

struct vg_error *workspace_make(struct workspace *workspace, const struct expect *expect,
				const struct configuration *configuration)
{
	_cleanup_(arguments_clear) struct arguments units = {0};

	VG_TRY(find_units(workspace, &units));
	VG_TRY(make_directories(workspace, configuration->type));
	VG_TRY(copy_sources(workspace));
	for (size_t i = 0; i < units.count; i++)
		VG_TRY(compile_unit(workspace, expect, configuration, units.words[i]));
	VG_TRY(write_commands(workspace, expect, configuration, &units));
	VG_TRY(link_target(workspace, expect, configuration, &units));
	if (is_library(configuration->type))
		VG_TRY(build_launcher(workspace, configuration->type));
	return expect->strip ? strip_target(workspace, expect->strip) : NULL;
}

struct vg_error *workspace_source_state(const struct workspace *workspace, char **state)
{
	_cleanup_(arguments_clear) struct arguments find = {0};
	_cleanup_(run_clear) struct run run = {0};

	arguments_split(&find, "find . -printf");
	arguments_add(&find, "%p %s %T@ %C@ %m\n");
	VG_TRY(run_command(&find, workspace->source, &run));
	*state = vg_take(run.out);
	return NULL;
}

void workspace_remove(const struct workspace *workspace)
{
	_cleanup_(arguments_clear) struct arguments remove = {0};

	arguments_split(&remove, "rm -rf --");
	arguments_add(&remove, workspace->directory);
	vg_error_free(must_run(&remove, "/"));
}

void workspace_clear(struct workspace *workspace)
{
	free(workspace->directory);
	free(workspace->source);
	free(workspace->out);
	free(workspace->target);
	free(workspace->executable);
	*workspace = (struct workspace){0};
}
