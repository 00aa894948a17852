/* SPDX-License-Identifier: MIT */
/*
 * Reading a compile command. Options fall into five classes:
 *
 *   OUTPUT   say where output goes, or ask for output besides the object: dropped
 *   LINK     only matter to the linker: dropped when the command also linked
 *   PATH     a path in which files are looked for: mapped into the shadow when it is used
 *   VALUE    any other option whose argument is the next word
 *   the rest stays as it is, because it may change code
 *
 * Sources: "Invoking GCC" of gcc 12 and "Clang command line argument reference" of clang 14.
 */
#include "differ/compile_flags.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "differ/compile_files.h"

static const char *const output_values[] = {
	"-o",
	"-MF",
	"-MT",
	"-MQ",
	"-MJ",
	"-aux-info",
	"-dumpbase",
	"-dumpbase-ext",
	"-dumpdir",
	"-index-store-path",
	"--serialize-diagnostics",
	"-serialize-diagnostics",
	NULL,
};
static const char *const output_flags[] = {
	"-c",  "-ftest-coverage", "-MD",	   "-MMD", "-MP", "-MG", "-M", "-MM",
	"-MV", "-time",		  "-fstack-usage", NULL,
};
/*
 * -frecord-* would put the private paths of the command line into the object. Debug information is
 * read here: compressed it would have to be decompressed at once, and types must be whole and
 * beside what uses them.
 */
static const char *const output_prefixes[] = {
	"-o",
	"-MF",
	"-MT",
	"-MQ",
	"-MJ",
	"-save-temps",
	"--save-temps",
	"-fdump-",
	"-fdiagnostics-",
	"-fno-diagnostics-",
	"-fcolor-diagnostics",
	"-fno-color-diagnostics",
	"-fansi-escape-codes",
	"-frecord-gcc-switches",
	"-frecord-command-line",
	"-grecord-command-line",
	"-fsave-optimization-record",
	"-foptimization-record-file=",
	"-fopt-info",
	"-ftime-trace",
	"-fcallgraph-info",
	"-Wp,-M",
	"-Wa,-a",
	"-Wa,-compress-debug-sections",
	"-Wa,--compress-debug-sections",
	"-gz",
	"-fdebug-types-section",
	"-femit-struct-debug-",
	"-feliminate-dwarf2-dups",
	"-gsplit-dwarf",
	NULL,
};
static const char *const lto_prefixes[] = {
	"-flto",    "-ffat-lto-objects",   "-fno-fat-lto-objects",
	"-fno-lto", "-fuse-linker-plugin", NULL,
};
static const char *const link_values[] = {"-l", "-L", "-u", "-z", "-T", "-Xlinker", NULL};
static const char *const link_prefixes[] = {"-l",   "-L",      "-Wl,",	    "-shared",	 "-static",
					    "-pie", "-no-pie", "-rdynamic", "-fuse-ld=", NULL};
static const char *const path_values[] = {
	"-I",	    "-isystem", "-iquote",   "-idirafter", "-include",
	"-imacros", "-iprefix", "-isysroot", "-F",	   NULL,
};
static const char *const values[] = {
	"-D",
	"-U",
	"-A",
	"-x",
	"-iwithprefix",
	"--param",
	"-iwithprefixbefore",
	"-Xassembler",
	"-Xpreprocessor",
	"-Xclang",
	"-arch",
	"-target",
	"-mllvm",
	"-B",
	"-b",
	"-V",
	"-wrapper",
	"-specs",
	"--sysroot",
	"-include-pch",
	"-ivfsoverlay",
	"-working-directory",
	NULL,
};

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

static const char *prefix_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (vg_starts_with(word, *list))
			return *list;
	return NULL;
}

/* ccache, distcc and their kind run the compiler that stands behind them. */
static bool is_launcher(const char *word)
{
	static const char *const names[] = {"ccache", "sccache", "distcc",     "icecc",
					    "env",    "nice",	 "buildcache", NULL};

	return is_one_of(basename(word), names) || (word[0] != '-' && strchr(word, '='));
}

/* cc and c99 are often links to the compiler that is meant. */
static bool is_clang(const char *compiler)
{
	char found[PATH_MAX], real[PATH_MAX];
	const char *search = getenv("PATH");

	if (strstr(basename(compiler), "clang"))
		return true;
	if (strchr(compiler, '/'))
		return realpath(compiler, real) && strstr(basename(real), "clang");
	while (search && *search) {
		size_t length = strcspn(search, ":");

		snprintf(found, sizeof(found), "%.*s/%s", (int)length, search, compiler);
		if (realpath(found, real))
			return strstr(basename(real), "clang");
		search += length + (search[length] == ':');
	}
	return false;
}

static bool has_extension(const char *path, const char *const *list)
{
	const char *dot = strrchr(basename(path), '.');

	return dot && is_one_of(dot, list);
}

bool vg_is_c_file(const char *path)
{
	static const char *const list[] = {".c", ".i", NULL};

	return has_extension(path, list);
}

bool vg_is_unit_file(const char *path)
{
	static const char *const list[] = {
		".c", ".i", ".cc", ".cpp", ".cxx", ".C",  ".c++", ".CC", ".ii",	 ".m",	".mm",
		".S", ".s", ".sx", ".asm", ".d",   ".rs", ".go",  ".f",	 ".f90", ".cu", NULL};

	return has_extension(path, list);
}

static void note_debug(struct vg_compile_flags *flags, const char *word)
{
	static const char *const on[] = {"-g", "-g2", "-g3", "-ggdb", "-ggdb2", "-ggdb3", NULL};
	static const char *const off[] = {
		"-g0",	 "-g1", "-ggdb0", "-ggdb1", "-gline-tables-only", "-gline-directives-only",
		"-gmlt", NULL};

	if (is_one_of(word, on) || vg_starts_with(word, "-gdwarf"))
		flags->debug = true;
	else if (is_one_of(word, off))
		flags->debug = false;
}

static void note_sections(struct vg_compile_flags *flags, const char *word)
{
	if (!strcmp(word, "-ffunction-sections"))
		flags->function_sections = true;
	else if (!strcmp(word, "-fno-function-sections"))
		flags->function_sections = false;
	else if (!strcmp(word, "-fdata-sections"))
		flags->data_sections = true;
	else if (!strcmp(word, "-fno-data-sections"))
		flags->data_sections = false;
}

static bool is_prefix_map(const char *word)
{
	const char *map = strstr(word, "-prefix-map=");

	return map && vg_starts_with(word, "-f") && map[strlen("-prefix-map=")] == '/';
}

static void note_flag(struct vg_compile_flags *flags, const char *word)
{
	note_debug(flags, word);
	note_sections(flags, word);
	if (!strcmp(word, "-E") || !strcmp(word, "-S") || !strcmp(word, "-fsyntax-only"))
		flags->compiles = false;
	if (is_prefix_map(word))
		vg_words_add(&flags->prefix_maps, word);
}

static bool is_lto(struct vg_compile_flags *flags, const char *word)
{
	if (!prefix_of(word, lto_prefixes))
		return false;
	if (vg_starts_with(word, "-flto"))
		flags->lto = true;
	else if (!strcmp(word, "-fno-lto"))
		flags->lto = false;
	return true;
}

/* How many words an OUTPUT option takes; 0: it is none. */
static size_t output_words(const char *word)
{
	if (is_one_of(word, output_values))
		return 2;
	return is_one_of(word, output_flags) || prefix_of(word, output_prefixes) ? 1 : 0;
}

/*
 * Options in two -X words: `-Xpreprocessor -MF -Xpreprocessor FILE` tells where output goes;
 * clang's `-Xclang -include-pch -Xclang FILE` (CMake writes it) takes a precompiled header, which
 * may hold what the diff changes: the -include beside it names the header itself.
 */
static size_t wrapped_words(char *const *words)
{
	const char *inner = words[1];

	if (!inner || (strcmp(words[0], "-Xclang") && strcmp(words[0], "-Xpreprocessor")))
		return 0;
	if (is_one_of(inner, output_values) || !strcmp(inner, "-include-pch"))
		return words[2] && words[3] ? 4 : 2;
	return output_words(inner) ? 2 : 0;
}

/*
 * --coverage is -fprofile-arcs, which makes code, and -ftest-coverage, which writes notes. The
 * counters belong to a file beside the object of the build: see add_profile().
 */
static bool is_coverage(struct vg_compile_flags *flags, const char *word)
{
	flags->profile |= vg_starts_with(word, "-fprofile-arcs") ||
			  vg_starts_with(word, "-fprofile-generate") ||
			  vg_starts_with(word, "-fprofile-use");
	if (strcmp(word, "--coverage") && strcmp(word, "-coverage"))
		return false;
	flags->profile = true;
	vg_words_add(&flags->words, "-fprofile-arcs");
	return true;
}

static size_t link_words(const char *word)
{
	if (is_one_of(word, link_values))
		return 2;
	return prefix_of(word, link_prefixes) ? 1 : 0;
}

static size_t dropped_words(struct vg_compile_flags *flags, char *const *words, bool links)
{
	size_t count = output_words(words[0]);

	if (vg_starts_with(words[0], "-gsplit-dwarf"))
		flags->debug = true; /* it implies -g */
	if (!count)
		count = wrapped_words(words);
	if (!count && is_lto(flags, words[0]))
		count = 1;
	if (!count && is_coverage(flags, words[0]))
		count = 1;
	if (!count && !strcmp(words[0], "-include-pch"))
		count = 2;
	if (!count && links)
		count = link_words(words[0]);
	return count;
}

static bool is_input(const struct vg_compile_command *command, const char *word)
{
	if (!strcmp(word, command->file) || !strcmp(word, command->path))
		return true;

	_cleanup_free_ char *joined = vg_path_join(command->directory, word);
	_cleanup_free_ char *normal = joined ? vg_path_normal(joined) : NULL;
	char real[PATH_MAX], wanted[PATH_MAX];

	if (normal && !strcmp(normal, command->path))
		return true;
	return joined && vg_is_unit_file(word) && realpath(joined, real) &&
	       realpath(command->path, wanted) && !strcmp(real, wanted);
}

static void note_language(struct vg_compile_flags *flags, const char *language)
{
	flags->c_language = !strcmp(language, "c") || !strcmp(language, "cpp-output");
	if (vg_ends_with(language, "-header"))
		flags->compiles = false; /* to a precompiled one, which nothing here reads */
}

const char *vg_path_option(const char *word, bool *separate)
{
	*separate = is_one_of(word, path_values);
	return prefix_of(word, path_values);
}

static bool takes_value(const char *word)
{
	return is_one_of(word, path_values) || is_one_of(word, values);
}

/* clang's `-Xclang -include -Xclang FILE`, as CMake writes it, is -include FILE. */
static bool is_wrapped_include(char *const *words)
{
	return !strcmp(words[0], "-Xclang") && words[1] && !strcmp(words[1], "-include") &&
	       words[2] && !strcmp(words[2], "-Xclang") && words[3];
}

/* One option that stays, or the input; other inputs of the same command are other entries. */
static size_t keep_words(struct vg_compile_flags *flags, const struct vg_compile_command *command,
			 char *const *words)
{
	const char *word = words[0];

	if (word[0] != '-' || !word[1]) {
		if (!flags->input && is_input(command, word)) {
			flags->input = flags->words.count;
			vg_words_add(&flags->words, word);
		}
		return 1;
	}
	if (!strcmp(word, "--"))
		return 1;
	if (is_wrapped_include(words)) {
		vg_words_add(&flags->words, "-include");
		vg_words_add(&flags->words, words[3]);
		return 4;
	}
	note_flag(flags, word);
	vg_words_add(&flags->words, word);
	if (!takes_value(word) || !words[1])
		return 1;
	if (!strcmp(word, "-x"))
		note_language(flags, words[1]);
	vg_words_add(&flags->words, words[1]);
	return 2;
}

static size_t skip_launchers(const struct vg_words *arguments)
{
	size_t first = 0;

	while (first + 1 < arguments->count && is_launcher(arguments->items[first]))
		first++;
	return first;
}

static bool is_cxx_compiler(const char *compiler)
{
	const char *name = basename(compiler);

	return strstr(name, "++") != NULL;
}

static void read_words(struct vg_compile_flags *flags, const struct vg_compile_command *command,
		       size_t first)
{
	char **words = command->arguments.items;
	size_t count = command->arguments.count;
	bool links = !vg_words_have(&command->arguments, "-c");

	for (size_t i = first; i < count;) {
		size_t drop = dropped_words(flags, words + i, links);

		if (!drop) {
			i += keep_words(flags, command, words + i);
			continue;
		}
		for (; drop && i < count; drop--)
			vg_words_add(&flags->dropped, words[i++]);
	}
}

/* Without -o the object lies in the working directory and is named after the source. */
static char *stem_of(const struct vg_compile_command *command)
{
	_cleanup_free_ char *path =
		command->output ? strdup(command->output)
				: vg_path_join(command->directory, basename(command->path));
	_cleanup_free_ char *normal = path ? vg_path_normal(path) : NULL;
	char *dot = normal ? strrchr(normal, '.') : NULL;

	if (dot && !strchr(dot, '/'))
		*dot = '\0';
	return vg_take(normal);
}

struct vg_error *vg_compile_flags_read(const struct vg_compile_command *command,
				       struct vg_compile_flags *flags)
{
	size_t first = skip_launchers(&command->arguments);
	const char *compiler = command->arguments.items[first];

	*flags = (struct vg_compile_flags){.compiles = true};
	flags->clang = is_clang(compiler);
	flags->c_language = vg_is_c_file(command->path) && !is_cxx_compiler(compiler);
	vg_words_add(&flags->words, compiler);
	flags->stem = stem_of(command);
	if (!flags->stem)
		return vg_error_no_memory();
	read_words(flags, command, first + 1);
	VG_TRY(vg_words_check(&flags->words));
	VG_TRY(vg_words_check(&flags->prefix_maps));
	return vg_words_check(&flags->dropped);
}

void vg_compile_flags_clear(struct vg_compile_flags *flags)
{
	vg_words_clear(&flags->words);
	vg_words_clear(&flags->prefix_maps);
	vg_words_clear(&flags->dropped);
	free(flags->stem);
}
