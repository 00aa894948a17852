/* SPDX-License-Identifier: MIT */
#include "cli/disassembly.h"

#include <capstone/capstone.h>
#include <stdio.h>

#include "cli/report.h"

/* Called with one line of text for each instruction. */
typedef void (*line_sink)(void *context, const char *line);

/* The reference that an instruction holds, if a relocation lies inside it. */
static const struct vgp_reloc *find_reloc(const struct vg_patch *patch, size_t segment,
					  uint64_t start, size_t bytes)
{
	for (size_t i = 0; i < patch->reloc_count; i++) {
		const struct vgp_reloc *reloc = &patch->relocs[i];

		if (reloc->segment == segment && reloc->offset >= start &&
		    reloc->offset < start + bytes)
			return reloc;
	}
	return NULL;
}

static void format_line(const struct vg_patch *patch, size_t segment, const cs_insn *insn,
			char *line, size_t room)
{
	const struct vgp_reloc *reloc = find_reloc(patch, segment, insn->address, insn->size);
	const char *name = "";

	if (reloc && reloc->name)
		name = vg_patch_string(patch, reloc->name);
	else if (reloc && reloc->base == VGP_BASE_IMPORT)
		name = vg_patch_string(patch, patch->imports[reloc->index].name);
	snprintf(line, room, "  %5lx  %-7s %s%s%s", (unsigned long)insn->address, insn->mnemonic,
		 insn->op_str, *name ? "  -> " : "", name);
}

static void disassemble(csh handle, const struct vg_patch *patch, const struct vgp_segment *segment,
			uint32_t offset, uint32_t bytes, line_sink sink, void *context)
{
	size_t index = (size_t)(segment - patch->segments);
	const uint8_t *code = patch->contents + segment->content_offset + offset;
	uint64_t address = offset;
	size_t left = bytes;
	cs_insn *insn = cs_malloc(handle);
	char line[256];

	while (insn && cs_disasm_iter(handle, &code, &left, &address, insn)) {
		format_line(patch, index, insn, line, sizeof(line));
		sink(context, line);
	}
	if (insn)
		cs_free(insn, 1);
}

static bool has_contents(const struct vgp_segment *segment, uint32_t offset, uint32_t bytes)
{
	return segment && (uint64_t)offset + bytes <= segment->content_bytes;
}

static void each_function(csh handle, const struct vg_patch *patch, size_t i, line_sink sink,
			  void *context)
{
	const struct vgp_function *function = &patch->functions[i];
	const struct vgp_segment *text = vg_patch_segment(patch, function->module, VGP_TEXT);

	if (has_contents(text, function->new_offset, function->new_bytes))
		disassemble(handle, patch, text, function->new_offset, function->new_bytes, sink,
			    context);
	for (size_t k = 0; k < patch->part_count; k++) {
		const struct vgp_part *part = &patch->parts[k];

		if (part->function == i && has_contents(text, part->new_offset, part->new_bytes))
			disassemble(handle, patch, text, part->new_offset, part->new_bytes, sink,
				    context);
	}
}

static void print_line(void *context, const char *line)
{
	(void)context;
	puts(line);
}

int vg_disassembly_print(const struct vg_patch *patch)
{
	csh handle;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK) {
		vg_say("cannot start the disassembler");
		return VG_FAILED;
	}
	for (size_t i = 0; i < patch->function_count; i++) {
		printf("%s:\n", vg_patch_string(patch, patch->functions[i].symbol));
		each_function(handle, patch, i, print_line, NULL);
	}
	cs_close(&handle);
	return VG_DONE;
}

static void append_line(void *context, const char *line)
{
	json_array_append_new(context, vg_json_text(line));
}

json_t *vg_disassembly_json(const struct vg_patch *patch)
{
	json_t *object = json_object();
	csh handle;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
		return object;
	for (size_t i = 0; i < patch->function_count; i++) {
		json_t *lines = json_array();

		each_function(handle, patch, i, append_line, lines);
		json_object_set_new(object, vg_patch_string(patch, patch->functions[i].symbol),
				    lines);
	}
	cs_close(&handle);
	return object;
}
