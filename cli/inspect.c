/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/disassembly.h"
#include "cli/patch_place.h"
#include "cli/report.h"
#include "cli/share.h"
#include "cli/verbs.h"
#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/patch_object.h"

static const char usage[] =
	"usage: vgraft inspect OUT.vgp [-d] [--json]\n"
	"       vgraft inspect --share ELF [--symbols ELF] OBJECT|DIR... [--json]\n"
	"\n"
	"Shows what a patch object changes, and in which build of which program; or how many\n"
	"functions of a program the objects of its build tell apart.\n"
	"\n"
	"  -d             disassemble the new code\n"
	"  --share ELF    the program; OBJECT: a compiled object, DIR: searched for *.o\n"
	"  --symbols ELF  its separate debug file, or an unstripped twin\n"
	"  --json         one object on standard output\n";

struct inspect_options {
	const char *path;
	struct vg_share_options share;
	bool disassemble, json;
};

static const char *reloc_word(const struct vgp_reloc *reloc)
{
	switch ((enum vgp_reloc_type)reloc->type) {
	case VGP_ABS64:
		return "abs64";
	case VGP_ABS32:
		return "abs32";
	case VGP_ABS32S:
		return "abs32s";
	case VGP_PC32:
		return "pc32";
	case VGP_PC64:
		return "pc64";
	case VGP_TPOFF32:
		return "tpoff32";
	case VGP_TPOFF64:
		return "tpoff64";
	}
	return "?";
}

static const char *base_word(const struct vgp_reloc *reloc)
{
	switch ((enum vgp_reloc_base)reloc->base) {
	case VGP_BASE_NONE:
		return "thread";
	case VGP_BASE_MODULE:
		return "module";
	case VGP_BASE_SEGMENT:
		return "patch";
	case VGP_BASE_IMPORT:
		return "import";
	}
	return "?";
}

static json_t *json_references(const struct vg_patch *patch)
{
	json_t *array = json_array();

	for (size_t i = 0; i < patch->reloc_count; i++) {
		const struct vgp_reloc *reloc = &patch->relocs[i];
		json_t *object = json_object();

		json_object_set_new(object, "name",
				    vg_json_text(vg_patch_reloc_name(patch, reloc)));
		json_object_set_new(object, "in", json_string(base_word(reloc)));
		json_object_set_new(object, "type", json_string(reloc_word(reloc)));
		json_object_set_new(
			object, "function",
			vg_json_text(vg_patch_place(patch, reloc->segment, reloc->offset).name));
		json_object_set_new(object, "offset", json_integer(reloc->offset));
		json_object_set_new(object, "addend", json_integer(reloc->addend));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *json_imports(const struct vg_patch *patch)
{
	json_t *array = json_array();

	for (size_t i = 0; i < patch->import_count; i++) {
		const struct vgp_import *import = &patch->imports[i];
		json_t *object = json_object();

		json_object_set_new(object, "name",
				    vg_json_text(vg_patch_string(patch, import->name)));
		json_object_set_new(object, "soname",
				    vg_json_text(vg_patch_string(patch, import->soname)));
		json_object_set_new(object, "version",
				    vg_json_text(vg_patch_string(patch, import->version)));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *json_modules(const struct vg_patch *patch)
{
	json_t *array = json_array();

	for (size_t i = 0; i < patch->module_count; i++) {
		const struct vgp_module *module = &patch->modules[i];
		char build_id[2 * VGP_MAX_BUILD_ID + 1];
		json_t *object = json_object();

		vg_build_id_text(module->build_id, module->build_id_bytes, build_id);
		json_object_set_new(object, "name",
				    vg_json_text(vg_patch_string(patch, module->name)));
		json_object_set_new(object, "build_id", json_string(build_id));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *json_variables(const struct vg_patch *patch)
{
	json_t *array = json_array();

	for (size_t i = 0; i < patch->variable_count; i++) {
		json_t *object = json_object();

		json_object_set_new(object, "name",
				    vg_json_text(vg_patch_string(patch, patch->variables[i].name)));
		json_object_set_new(object, "size", json_integer(patch->variables[i].bytes));
		json_array_append_new(array, object);
	}
	return array;
}

static const char *when_word(const struct vgp_hook *hook)
{
	switch ((enum vgp_hook_when)hook->when) {
	case VGP_PRE_APPLY:
		return "pre-apply";
	case VGP_POST_APPLY:
		return "post-apply";
	case VGP_PRE_REVERT:
		return "pre-revert";
	case VGP_POST_REVERT:
		return "post-revert";
	}
	return "?";
}

static json_t *json_hooks(const struct vg_patch *patch)
{
	json_t *array = json_array();

	for (size_t i = 0; i < patch->hook_count; i++) {
		json_t *object = json_object();

		json_object_set_new(object, "name",
				    vg_json_text(vg_patch_string(patch, patch->hooks[i].name)));
		json_object_set_new(object, "when", json_string(when_word(&patch->hooks[i])));
		json_object_set_new(object, "size", json_integer(patch->hooks[i].bytes));
		json_array_append_new(array, object);
	}
	return array;
}

/* null: it has none */
static json_t *json_shadows(const struct vg_patch *patch)
{
	json_t *object;

	if (!patch->shadow_count)
		return json_null();
	object = json_object();
	json_object_set_new(object, "count", json_integer(patch->shadows->count));
	json_object_set_new(object, "size", json_integer(patch->shadows->bytes));
	return object;
}

static json_t *json_depends(const struct vg_patch *patch)
{
	json_t *array = json_array();

	for (size_t i = 0; i < patch->depend_count; i++)
		json_array_append_new(array,
				      vg_json_text(vg_patch_string(patch, patch->depends[i])));
	return array;
}

static json_t *json_patch(const struct vg_patch *patch)
{
	json_t *object = json_object();
	char build_id[2 * VGP_MAX_BUILD_ID + 1], checksum[65];

	vg_build_id_text(patch->modules[0].build_id, patch->modules[0].build_id_bytes, build_id);
	vg_build_id_text(patch->header->checksum, sizeof(patch->header->checksum), checksum);
	json_object_set_new(object, "patch", vg_json_text(vg_patch_name(patch)));
	json_object_set_new(object, "cve", vg_json_text(vg_patch_string(patch, patch->info->cve)));
	json_object_set_new(object, "build_id", json_string(build_id));
	json_object_set_new(object, "modules", json_modules(patch));
	json_object_set_new(object, "bytes", json_integer((json_int_t)patch->byte_count));
	json_object_set_new(object, "checksum", json_string(checksum));
	json_object_set_new(object, "producer",
			    vg_json_text(vg_patch_string(patch, patch->info->producer)));
	json_object_set_new(object, "replace", json_boolean(patch->header->flags & VGP_REPLACE));
	json_object_set_new(object, "depends", json_depends(patch));
	json_object_set_new(object, "functions", vg_json_functions(patch));
	json_object_set_new(object, "variables", json_variables(patch));
	json_object_set_new(object, "hooks", json_hooks(patch));
	json_object_set_new(object, "shadows", json_shadows(patch));
	json_object_set_new(object, "references", json_references(patch));
	json_object_set_new(object, "imports", json_imports(patch));
	return object;
}

static void print_functions(const struct vg_patch *patch)
{
	for (size_t i = 0; i < patch->function_count; i++) {
		const struct vgp_function *function = &patch->functions[i];

		printf("  %-7s %s  %s  ", function->kind == VGP_NEW ? "new" : "changed",
		       vg_patch_string(patch, function->symbol),
		       vg_patch_string(patch, function->file));
		if (function->kind == VGP_CHANGED)
			printf("0x%lx, %u -> %u bytes\n", (unsigned long)function->old_address,
			       function->old_bytes, function->new_bytes);
		else
			printf("%u bytes\n", function->new_bytes);
	}
	for (size_t i = 0; i < patch->part_count; i++)
		printf("  part    %s of %s, %u -> %u bytes\n",
		       vg_patch_string(patch, patch->parts[i].name),
		       vg_patch_string(patch, patch->functions[patch->parts[i].function].name),
		       patch->parts[i].old_bytes, patch->parts[i].new_bytes);
}

/* What is written there is S + A (System V ABI x86-64, 4.4.1), so A of a PC32 is mostly -4. */
static void print_reference(const struct vg_patch *patch, const struct vgp_reloc *reloc)
{
	struct vg_patch_place place = vg_patch_place(patch, reloc->segment, reloc->offset);
	char where[128];

	if (*place.name)
		snprintf(where, sizeof(where), "%s+0x%lx", place.name, (unsigned long)place.offset);
	else
		snprintf(where, sizeof(where), "+0x%x", reloc->offset);
	printf("  %-20s  %-7s %-6s %s", where, reloc_word(reloc), base_word(reloc),
	       vg_patch_reloc_name(patch, reloc));
	if (reloc->base == VGP_BASE_MODULE && reloc->type == VGP_PC32)
		printf(" (0x%lx - 4)", (unsigned long)reloc->addend + 4);
	else if (reloc->base == VGP_BASE_MODULE)
		printf(" (0x%lx)", (unsigned long)reloc->addend);
	putchar('\n');
}

static void print_references(const struct vg_patch *patch)
{
	printf("references:\n");
	for (size_t i = 0; i < patch->reloc_count; i++)
		print_reference(patch, &patch->relocs[i]);
	for (size_t i = 0; i < patch->import_count; i++)
		printf("  import   %s@%s from %s\n", vg_patch_string(patch, patch->imports[i].name),
		       vg_patch_string(patch, patch->imports[i].version),
		       vg_patch_string(patch, patch->imports[i].soname));
}

static void print_segments(const struct vg_patch *patch, size_t module)
{
	const struct vgp_segment *text = vg_patch_segment(patch, (unsigned)module, VGP_TEXT);
	const struct vgp_segment *data = vg_patch_segment(patch, (unsigned)module, VGP_DATA);

	printf("  brings %u bytes of code and constants, %u of variables\n",
	       text ? text->memory_bytes : 0, data ? data->memory_bytes : 0);
}

static void print_patch(const struct vg_patch *patch)
{
	printf("patch %s  %s\n", vg_patch_name(patch), vg_patch_string(patch, patch->info->cve));
	printf("  %zu bytes, built by %s\n", patch->byte_count,
	       vg_patch_string(patch, patch->info->producer));
	for (size_t i = 0; i < patch->module_count; i++) {
		char build_id[2 * VGP_MAX_BUILD_ID + 1];

		vg_build_id_text(patch->modules[i].build_id, patch->modules[i].build_id_bytes,
				 build_id);
		printf("for %s, build-id %s\n", vg_patch_string(patch, patch->modules[i].name),
		       build_id);
		print_segments(patch, i);
	}
	for (size_t i = 0; i < patch->depend_count; i++)
		printf("depends on %s\n", vg_patch_string(patch, patch->depends[i]));
	if (patch->header->flags & VGP_REPLACE)
		printf("replaces all other patches%s\n",
		       patch->header->flags & VGP_DROPS_SHADOWS
			       ? ", and drops their shadow variables"
			       : "");
	printf("functions:\n");
	print_functions(patch);
	for (size_t i = 0; i < patch->variable_count; i++)
		printf("  variable %s, %u bytes\n",
		       vg_patch_string(patch, patch->variables[i].name), patch->variables[i].bytes);
	for (size_t i = 0; i < patch->hook_count; i++)
		printf("  hook     %s, %s, %u bytes\n",
		       vg_patch_string(patch, patch->hooks[i].name), when_word(&patch->hooks[i]),
		       patch->hooks[i].bytes);
	if (patch->shadow_count)
		printf("  shadow variables: room for %u of %u bytes\n", patch->shadows->count,
		       patch->shadows->bytes);
	print_references(patch);
}

static int take_arguments(struct inspect_options *options, int argc, char **argv)
{
	bool share = options->share.target;

	if (share ? optind == argc || options->disassemble : optind + 1 != argc) {
		vg_say(share ? "inspect --share takes objects, or folders of objects"
			     : "inspect takes one patch object");
		fputs(usage, stderr);
		return VG_USAGE;
	}
	options->path = argv[optind];
	options->share.paths = argv + optind;
	options->share.path_count = (size_t)(argc - optind);
	options->share.json = options->json;
	return -1;
}

/* Returns -1 to go on, or an exit code. */
static int parse(struct inspect_options *options, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"share", required_argument, NULL, 's'},
		{"symbols", required_argument, NULL, 'y'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "d", long_options, NULL)) != -1) {
		switch (option) {
		case 'd':
			options->disassemble = true;
			break;
		case 's':
			options->share.target = optarg;
			break;
		case 'y':
			options->share.symbols = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return VG_DONE;
		default:
			fputs(usage, stderr);
			return VG_USAGE;
		}
	}
	return take_arguments(options, argc, argv);
}

static int inspect(const struct inspect_options *options, const struct vg_patch *patch)
{
	json_t *object;

	if (!options->json) {
		print_patch(patch);
		return options->disassemble ? vg_disassembly_print(patch) : VG_DONE;
	}
	object = json_patch(patch);
	if (options->disassemble)
		json_object_set_new(object, "disassembly", vg_disassembly_json(patch));
	return vg_print_json(object);
}

static int fail(const struct inspect_options *options, struct vg_error *error)
{
	json_t *object;

	if (options->json) {
		object = json_object();
		json_object_set_new(object, "file", vg_json_text(options->path));
		json_object_set_new(
			object, "result",
			json_string(vg_error_code(error) == VG_REFUSED ? "refused" : "failed"));
		json_object_set_new(object, "reason", vg_json_text(vg_error_text(error)));
		vg_print_json(object);
	}
	return vg_fail(error);
}

int vg_verb_inspect(int argc, char **argv)
{
	struct inspect_options options = {0};
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch = NULL;
	int code = parse(&options, argc, argv);

	if (code >= 0)
		return code;
	if (options.share.target)
		return vg_inspect_share(&options.share);
	struct vg_error *error = vg_patch_open(options.path, &patch);
	if (error)
		return fail(&options, error);
	return inspect(&options, patch);
}
