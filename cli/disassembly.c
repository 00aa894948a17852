/* SPDX-License-Identifier: MIT */
#include "cli/disassembly.h"

#include <capstone/capstone.h>
#include <stdio.h>

#include "cli/patch_place.h"
#include "cli/report.h"

/* Called with one line of text for each instruction. */
typedef void (*line_sink)(void *context, const char *line);

/* Where a branch, or an operand relative to the instruction, leads; false: nowhere that is known.
 */
static bool find_target(const cs_insn *insn, uint64_t *target)
{
	const cs_x86 *x86 = &insn->detail->x86;

	for (unsigned i = 0; i < x86->op_count; i++) {
		const cs_x86_op *operand = &x86->operands[i];

		if (operand->type == X86_OP_MEM && operand->mem.base == X86_REG_RIP) {
			*target = insn->address + insn->size + (uint64_t)operand->mem.disp;
			return true;
		}
		if (operand->type == X86_OP_IMM && x86->encoding.imm_offset &&
		    (insn->id == X86_INS_CALL || insn->id == X86_INS_JMP ||
		     (insn->bytes[0] == 0x0f && (insn->bytes[1] & 0xf0) == 0x80))) {
			*target = (uint64_t)operand->imm;
			return true;
		}
	}
	return false;
}

/* A field with a relocation means what that says: its bytes are zero until the patch is applied. */
static void format_line(const struct vg_patch *patch, size_t segment, const cs_insn *insn,
			char *line, size_t room)
{
	const struct vgp_reloc *reloc =
		vg_patch_reloc_in(patch, segment, insn->address, insn->size);
	struct vg_patch_place own = vg_patch_place(patch, segment, insn->address);
	char name[128] = "";
	uint64_t target;

	if (reloc)
		snprintf(name, sizeof(name), "%s", vg_patch_reloc_name(patch, reloc));
	else if (find_target(insn, &target) &&
		 vg_patch_place(patch, segment, target).name != own.name)
		vg_patch_place_text(patch, segment, target, name, sizeof(name));
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
	char name[256];

	if (has_contents(text, function->new_offset, function->new_bytes))
		disassemble(handle, patch, text, function->new_offset, function->new_bytes, sink,
			    context);
	for (size_t k = 0; k < patch->part_count; k++) {
		const struct vgp_part *part = &patch->parts[k];

		if (part->function != i || !has_contents(text, part->new_offset, part->new_bytes))
			continue;
		snprintf(name, sizeof(name), "  %s:", vg_patch_string(patch, part->name));
		sink(context, name);
		disassemble(handle, patch, text, part->new_offset, part->new_bytes, sink, context);
	}
}

static void each_hook(csh handle, const struct vg_patch *patch, size_t i, line_sink sink,
		      void *context)
{
	const struct vgp_hook *hook = &patch->hooks[i];
	const struct vgp_segment *text = &patch->segments[hook->segment];

	if (has_contents(text, hook->offset, hook->bytes))
		disassemble(handle, patch, text, hook->offset, hook->bytes, sink, context);
}

static void print_line(void *context, const char *line)
{
	(void)context;
	puts(line);
}

static bool open_decoder(csh *handle)
{
	if (cs_open(CS_ARCH_X86, CS_MODE_64, handle) != CS_ERR_OK)
		return false;
	if (cs_option(*handle, CS_OPT_DETAIL, CS_OPT_ON) == CS_ERR_OK)
		return true;
	cs_close(handle);
	return false;
}

int vg_disassembly_print(const struct vg_patch *patch)
{
	csh handle;

	if (!open_decoder(&handle)) {
		vg_say("cannot start the disassembler");
		return VG_FAILED;
	}
	for (size_t i = 0; i < patch->function_count; i++) {
		printf("%s:\n", vg_patch_string(patch, patch->functions[i].symbol));
		each_function(handle, patch, i, print_line, NULL);
	}
	for (size_t i = 0; i < patch->hook_count; i++) {
		printf("%s:\n", vg_patch_string(patch, patch->hooks[i].name));
		each_hook(handle, patch, i, print_line, NULL);
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

	if (!open_decoder(&handle))
		return object;
	for (size_t i = 0; i < patch->function_count; i++) {
		json_t *lines = json_array();

		each_function(handle, patch, i, append_line, lines);
		json_object_set_new(object, vg_patch_string(patch, patch->functions[i].symbol),
				    lines);
	}
	for (size_t i = 0; i < patch->hook_count; i++) {
		json_t *lines = json_array();

		each_hook(handle, patch, i, append_line, lines);
		json_object_set_new(object, vg_patch_string(patch, patch->hooks[i].name), lines);
	}
	cs_close(&handle);
	return object;
}
