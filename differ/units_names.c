/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "differ/compile_files.h"
#include "differ/units.h"

/*
 * Fixes come with a changelog entry, a test script, a line in the build description. No compiler
 * reads those, so they reach no unit, and looking for it would cost a run over the whole project.
 */
bool vg_is_never_compiled(const char *path)
{
	static const char *const extensions[] = {
		".md",	 ".rst",  ".txt", ".texi",  ".html",  ".adoc", ".py", ".sh", ".pl",
		".yml",	 ".yaml", ".xml", ".build", ".cmake", ".mk",   ".am", ".ac", ".m4",
		".spec", ".po",	  ".svg", ".png",   ".1",     ".5",    ".7",  ".8",  NULL,
	};
	static const char *const names[] = {
		"README",     "NEWS",	     "ChangeLog",  "CHANGES",	  "COPYING",
		"LICENSE",    "LICENCE",     "AUTHORS",	   "MAINTAINERS", "VERSION",
		"Makefile",   "GNUmakefile", "Kconfig",	   "TODO",	  "meson_options",
		"CMakeLists", "configure",   ".gitignore", NULL,
	};
	const char *name = basename(path), *dot = strrchr(name, '.');

	for (size_t i = 0; dot && extensions[i]; i++)
		if (!strcmp(dot, extensions[i]))
			return true;
	for (size_t i = 0; names[i]; i++) {
		size_t length = strlen(names[i]);

		if (!strncmp(name, names[i], length) && (!name[length] || &name[length] == dot) &&
		    !vg_is_unit_file(name) && !vg_ends_with(name, ".h"))
			return true;
	}
	return false;
}
