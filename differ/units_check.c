/* SPDX-License-Identifier: MIT */
/* Touched files that no unit reads: is the fix whole without them? */
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/error.h"
#include "differ/compile_files.h"
#include "differ/units.h"

static struct vg_error *refuse(const struct vg_unit_plan *plan, const struct vg_touched *touched)
{
	return vg_error_new(VG_REFUSED,
			    "%s: no entry of %s compiles this %sfile and no unit includes it; "
			    "build the project once so that it has one, make the diff of the file "
			    "that the build puts it into, or leave it out of the diff",
			    touched->path, plan->commands.path, touched->created ? "new " : "");
}

static void note(struct vg_unit_plan *plan, const struct vg_touched *touched)
{
	if (vg_is_never_compiled(touched->path))
		vg_words_format(&plan->notes, "%s ignored: it is not compiled", touched->path);
	else
		vg_words_format(&plan->notes,
				"%s ignored: no unit reads it; what the build generates from it "
				"is not generated again",
				touched->path);
}

/* The program to be patched, or what has its symbols; both may be unknown. */
struct target {
	const char *path;
	struct vg_elf *elf;
	struct vg_symbols symbols;
};

static void close_target(struct target *target)
{
	vg_symbols_clear(&target->symbols);
	vg_elf_close(target->elf);
}

/* Not before its names are asked for: most diffs touch what is compiled, and no header. */
static struct vg_error *open_target(struct target *target)
{
	if (target->elf || !target->path)
		return NULL;
	VG_TRY(vg_elf_open(target->path, &target->elf));
	return vg_elf_symbols(target->elf, SHT_SYMTAB, &target->symbols);
}

/* A source of a unit that the diff reaches, so that the table names what the target is made of. */
static bool names_units(const struct vg_symbols *symbols, const struct vg_unit_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (vg_symbols_name_file(symbols, plan->units[i].file))
			return true;
	return false;
}

/*
 * Fixes also touch what this build leaves out: the other half of a project (dropbear's client), a
 * protocol that is not configured (h3 in haproxy), a module of the tests (redis). Each object that
 * was linked leaves the name of its source in the symbol table.
 */
static struct vg_error *check_source(struct vg_unit_plan *plan, const struct vg_touched *touched,
				     struct target *target)
{
	if (!touched->created)
		VG_TRY(open_target(target));
	if (touched->created || !names_units(&target->symbols, plan) ||
	    vg_symbols_name_file(&target->symbols, touched->path))
		return refuse(plan, touched);
	vg_words_format(&plan->notes,
			"%s ignored: no entry of %s compiles it, and %s names no such source",
			touched->path, plan->commands.path, target->path);
	return vg_words_check(&plan->notes);
}

static struct vg_error *check_one(struct vg_unit_plan *plan, const struct vg_touched *touched,
				  struct target *target)
{
	if (touched->binary && (touched->reached || vg_is_unit_file(touched->path)))
		return vg_error_new(VG_REFUSED,
				    "%s: the diff has its change as binary data; make it with git "
				    "diff --text",
				    touched->path);
	if (touched->reached || touched->deleted)
		return NULL;
	if (vg_is_unit_file(touched->path))
		return check_source(plan, touched, target);
	note(plan, touched);
	return vg_words_check(&plan->notes);
}

/* A diff that changes a header which nobody includes must not pass for a fix. */
static struct vg_error *check_any(const struct vg_unit_plan *plan)
{
	if (plan->count)
		return NULL;
	for (size_t i = 0; i < plan->tree.count; i++)
		if (!vg_is_never_compiled(plan->tree.files[i].path))
			return vg_error_new(VG_REFUSED,
					    "%s: the diff reaches no unit of %s: nothing compiles "
					    "or includes what it touches",
					    plan->tree.files[i].path, plan->commands.path);
	return NULL;
}

static const struct vg_touched *reached_header(const struct vg_unit_plan *plan)
{
	for (size_t i = 0; i < plan->tree.count; i++)
		if (plan->tree.files[i].reached && !vg_is_unit_file(plan->tree.files[i].path))
			return &plan->tree.files[i];
	return NULL;
}

static bool is_compiled(const struct vg_unit_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->commands.count; i++)
		if (!strcmp(basename(plan->commands.commands[i].path), basename(name)))
			return true;
	return false;
}

/* Sources of libraries and of start-up code do not lie beside the project's own. */
static bool lies_beside_units(const struct vg_unit_plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->count; i++) {
		const char *path = plan->units[i].command->path;
		_cleanup_free_ char *beside =
			vg_format("%.*s%s", (int)(basename(path) - path), path, basename(name));

		if (beside && access(beside, F_OK) == 0)
			return true;
	}
	return false;
}

/*
 * A second bear(1) writes only what that run compiled. A header then changes for those units, and
 * for others of the target nobody would know.
 */
static struct vg_error *check_commands(struct vg_unit_plan *plan, struct target *target)
{
	const struct vg_touched *header = reached_header(plan);

	if (header)
		VG_TRY(open_target(target));
	for (size_t i = 0; header && i < target->symbols.count; i++) {
		const struct vg_symbol *symbol = &target->symbols.symbols[i];

		if (GELF_ST_TYPE(symbol->sym.st_info) != STT_FILE ||
		    !vg_is_unit_file(symbol->name) || is_compiled(plan, symbol->name) ||
		    !lies_beside_units(plan, symbol->name))
			continue;
		vg_words_format(&plan->notes,
				"%s is in %s, but no entry of %s compiles it: if it includes %s, "
				"its code stays as it was; build the project once from the start",
				symbol->name, target->path, plan->commands.path, header->path);
		return vg_words_check(&plan->notes);
	}
	return NULL;
}

struct vg_error *vg_units_check_reached(struct vg_unit_plan *plan)
{
	_cleanup_(close_target) struct target target = {.path = plan->request->symbols
									?: plan->request->target};

	for (size_t i = 0; i < plan->tree.count; i++)
		VG_TRY(check_one(plan, &plan->tree.files[i], &target));
	VG_TRY(check_any(plan));
	return check_commands(plan, &target);
}
