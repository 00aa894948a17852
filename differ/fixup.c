/* SPDX-License-Identifier: MIT */
/*
 * From the relocations of the post object to fixes of the pieces that were copied from it. What a
 * fix needs may bring further pieces along; the queue ends when nothing new comes up.
 */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"
#include "differ/tls_call.h"

/* One reference of a piece: where it stands and what it wants. */
struct use {
	struct vg_piece *piece;
	const struct vg_line *line; /* NULL in data */
	struct vg_item *item;
	int64_t offset;	  /* in the item */
	uint32_t type;	  /* R_X86_64_* */
	uint32_t field;	  /* offset in the piece */
	int64_t distance; /* from the field to what PC-relative values count from */
};

static struct vg_error *unsupported(const struct use *use, const char *why)
{
	return vg_error_new(VG_REFUSED,
			    "%s: %s refers to %s in a way that cannot be carried into a patch "
			    "(relocation type %u): %s",
			    use->piece->item->object->file, vg_item_text(use->piece->item),
			    use->item ? vg_item_text(use->item) : "an absolute address", use->type,
			    why);
}

static bool is_branch(const struct use *use)
{
	return use->line && use->line->instruction.branch_bytes;
}

static struct vg_error *add_fix(struct vg_patch_build *build, const struct use *use,
				struct vg_fix fix)
{
	fix.offset = use->field;
	fix.name = vg_item_text(use->item);
	if ((fix.type == VGP_ABS32 || fix.type == VGP_ABS32S) && fix.kind == VG_SPOT_PIECE)
		build->flags |= VGP_LOW_2G;
	memset(use->piece->bytes + use->field, 0,
	       fix.type == VGP_ABS64 || fix.type == VGP_PC64 ? 8 : 4);
	return vg_piece_add_fix(build, use->piece, fix);
}

static struct vg_fix to_piece(uint8_t type, struct vg_piece *piece, int64_t addend)
{
	return (struct vg_fix){
		.type = type, .kind = VG_SPOT_PIECE, .piece = piece, .addend = addend};
}

static struct vg_fix to_module(uint8_t type, uint64_t address, int64_t addend)
{
	return (struct vg_fix){
		.type = type, .kind = VG_SPOT_MODULE, .address = address, .addend = addend};
}

static struct vg_fix to_import(uint8_t type, const struct vg_reach *reach, int64_t addend)
{
	return (struct vg_fix){
		.type = type, .kind = VG_SPOT_IMPORT, .import = reach->import, .addend = addend};
}

static struct vg_fix to_thread(uint8_t type, const struct use *use, const struct vg_reach *reach)
{
	return (struct vg_fix){.type = type, .addend = reach->tpoff + use->offset};
}

static int64_t pc_addend(const struct use *use)
{
	return use->offset - use->distance;
}

static struct vg_error *fix_relative(struct vg_patch_build *build, const struct use *use,
				     struct vg_reach *reach)
{
	struct vg_piece *stub;

	if (reach->piece) {
		VG_TRY(vg_piece_of(build, reach->piece->pair, reach->piece->item, use->offset,
				   &stub));
		return add_fix(build, use, to_piece(VGP_PC32, stub, pc_addend(use) - stub->from));
	}
	if (is_branch(use) && reach->has_call)
		return add_fix(build, use, to_module(VGP_PC32, reach->call, pc_addend(use)));
	if (reach->has_address)
		return add_fix(build, use, to_module(VGP_PC32, reach->address, pc_addend(use)));
	if (reach->is_near)
		return add_fix(build, use, to_import(VGP_PC32, reach, pc_addend(use)));
	if (!is_branch(use))
		return unsupported(use, "it lies in another module, out of reach; compile with "
					"-fPIC or refer to it from the target first");
	VG_TRY(vg_stub_for(build, use->item, reach, &stub));
	return add_fix(build, use, to_piece(VGP_PC32, stub, pc_addend(use)));
}

/*
 * A weak symbol that neither the target nor a library of its defines: zero in a program at a fixed
 * address (gABI ch. 4), where no linker fills the field later.
 */
static bool is_absolute_zero(const struct vg_patch_build *build, const struct use *use,
			     const struct vg_reach *reach)
{
	return build->target->is_fixed && reach->has_import && vg_item_is_weak(use->item) &&
	       !*build->imports.at[reach->import].soname &&
	       !vg_target_dynamic(build->target, use->item->name);
}

static struct vg_error *put_number(const struct use *use, uint8_t type, int64_t value)
{
	if (type == VGP_ABS32 ? value != (uint32_t)value : value != (int32_t)value)
		return unsupported(use, "its offset does not fit");
	memcpy(use->piece->bytes + use->field, &value, 4);
	return NULL;
}

static struct vg_error *fix_absolute(struct vg_patch_build *build, const struct use *use,
				     struct vg_reach *reach, uint8_t type)
{
	struct vg_piece *piece;
	struct vg_reach import = *reach;

	if (reach->piece) {
		VG_TRY(vg_piece_of(build, reach->piece->pair, reach->piece->item, use->offset,
				   &piece));
		return add_fix(build, use, to_piece(type, piece, use->offset - piece->from));
	}
	if (reach->has_address)
		return add_fix(build, use, to_module(type, reach->address, use->offset));
	if (type != VGP_ABS64 && is_absolute_zero(build, use, reach))
		return put_number(use, type, use->offset);
	if (type != VGP_ABS64 && !(reach->is_near && build->target->is_fixed))
		return unsupported(use, "its address does not fit; compile with -fPIC");
	if (!import.has_import)
		VG_TRY(vg_reach_import(build, use->item, &import));
	return add_fix(build, use, to_import(type, &import, use->offset));
}

/*
 * mov foo@GOTPCREL(%rip), %r -> lea foo(%rip), %r, as a linker does (System V ABI x86-64, B.2): no
 * slot, and the instruction stays as long as it was.
 */
static bool can_become_lea(const struct use *use, const struct vg_reach *reach)
{
	return (use->type == R_X86_64_REX_GOTPCRELX || use->type == R_X86_64_GOTPCRELX) &&
	       (reach->piece || reach->has_address) && use->field >= 2 && !use->offset &&
	       use->piece->bytes[use->field - 2] == 0x8b;
}

/* call *foo@GOTPCREL(%rip) -> addr32 call foo; jmp *foo -> nop-prefixed jmp, 6 bytes each */
static bool can_become_direct(const struct use *use, const struct vg_reach *reach)
{
	/* With prefixes in front (the call of __tls_get_addr) there is no other form. */
	return use->type == R_X86_64_GOTPCRELX && use->line && use->line->instruction.size == 6 &&
	       (reach->piece || reach->has_address || reach->has_call) && use->field >= 2 &&
	       !use->offset && use->piece->bytes[use->field - 2] == 0xff &&
	       (use->piece->bytes[use->field - 1] == 0x15 ||
		use->piece->bytes[use->field - 1] == 0x25);
}

static struct vg_error *fix_direct(struct vg_patch_build *build, const struct use *use,
				   struct vg_reach *reach)
{
	uint8_t *opcode = use->piece->bytes + use->field - 2;

	opcode[0] = 0x67; /* address-size prefix: without effect on a direct branch */
	opcode[1] = opcode[1] == 0x15 ? 0xe8 : 0xe9;
	if (reach->piece)
		return add_fix(build, use, to_piece(VGP_PC32, reach->piece, pc_addend(use)));
	return add_fix(build, use,
		       to_module(VGP_PC32, reach->has_call ? reach->call : reach->address,
				 pc_addend(use)));
}

static struct vg_error *fix_slot(struct vg_patch_build *build, const struct use *use,
				 struct vg_reach *reach)
{
	struct vg_piece *slot;

	if (use->offset)
		return unsupported(use, "an offset behind a GOT slot");
	if (can_become_direct(use, reach))
		return fix_direct(build, use, reach);
	if (reach->has_slot && use->type != R_X86_64_GOTTPOFF)
		return add_fix(build, use, to_module(VGP_PC32, reach->slot, pc_addend(use)));
	if (can_become_lea(use, reach)) {
		use->piece->bytes[use->field - 2] = 0x8d;
		return fix_relative(build, use, reach);
	}
	VG_TRY(vg_slot_for(build, use->item, reach, &slot));
	return add_fix(build, use, to_piece(VGP_PC32, slot, pc_addend(use)));
}

static struct vg_error *fix_thread_local(struct vg_patch_build *build, const struct use *use,
					 struct vg_reach *reach)
{
	if (use->type == R_X86_64_GOTTPOFF && reach->has_slot)
		return add_fix(build, use, to_module(VGP_PC32, reach->slot, pc_addend(use)));
	if (!reach->has_tpoff || !build->target->is_executable)
		return vg_error_refuse(VG_RULE_THREAD_LOCAL,
				       "%s: the place of the thread-local variable %s is not fixed "
				       "in %s",
				       use->piece->item->object->file, vg_item_text(use->item),
				       build->target->elf->path);
	if (use->type == R_X86_64_GOTTPOFF)
		return fix_slot(build, use, reach);
	return add_fix(
		build, use,
		to_thread(use->type == R_X86_64_TPOFF64 ? VGP_TPOFF64 : VGP_TPOFF32, use, reach));
}

static struct vg_error *refuse_tls(const struct vg_patch_build *build, const struct use *use)
{
	return vg_error_refuse(VG_RULE_THREAD_LOCAL,
			       "%s: %s reaches the thread-local variable %s in a way for which %s "
			       "has no GOT entry",
			       use->piece->item->object->file, vg_item_text(use->piece->item),
			       vg_item_text(use->item), build->target->elf->path);
}

/* Two GOT words that the target has: nothing can be added for the dynamic linker to fill. */
static uint64_t find_tls_pair(const struct vg_patch_build *build, const struct use *use,
			      const struct vg_reach *reach)
{
	uint64_t pair = 0;

	if (use->type == R_X86_64_TLSLD)
		return vg_target_tls_pair(build->target, NULL, 0);
	if (reach->has_tls_pair)
		return reach->tls_pair;
	if (!vg_item_is_local(use->item))
		pair = vg_target_tls_pair(build->target, use->item->name, 0);
	if (!pair && reach->has_dtpoff)
		pair = vg_target_tls_pair(build->target, NULL, (uint64_t)reach->dtpoff);
	return pair;
}

/*
 * In an executable the module's block is at a fixed distance from the thread pointer; its linker
 * left no words for local dynamic calls because it had rewritten them all.
 */
static bool counts_from_thread_pointer(const struct vg_patch_build *build)
{
	return build->target->is_executable && !vg_target_tls_pair(build->target, NULL, 0);
}

/* As the target's linker did it: see tls_call.h. */
static struct vg_error *relax_tls_call(struct vg_patch_build *build, const struct use *use,
				       const struct vg_reach *reach)
{
	uint32_t start = (uint32_t)use->line->instruction.address;
	struct use field = *use;
	uint8_t *code = use->piece->bytes + start;
	unsigned bytes = use->line->tls_bytes;

	field.field = start + VG_TLS_FIELD;
	if (use->type == R_X86_64_TLSLD) {
		vg_tls_write(code, bytes, VG_TLS_BLOCK);
		return NULL;
	}
	if (reach->has_tpoff) {
		vg_tls_write(code, bytes, VG_TLS_LOCAL_EXEC);
		return add_fix(build, &field, to_thread(VGP_TPOFF32, use, reach));
	}
	vg_tls_write(code, bytes, VG_TLS_INITIAL_EXEC);
	return add_fix(build, &field, to_module(VGP_PC32, reach->slot, -4));
}

static bool can_relax_tls_call(const struct vg_patch_build *build, const struct use *use,
			       const struct vg_reach *reach)
{
	if (!build->target->is_executable || !use->line || !use->line->tls_bytes)
		return false;
	if (use->type == R_X86_64_TLSLD)
		return counts_from_thread_pointer(build);
	return (reach->has_tpoff || reach->has_slot) && !use->offset;
}

static struct vg_error *fix_tls_pair(struct vg_patch_build *build, const struct use *use,
				     const struct vg_reach *reach)
{
	uint64_t pair = find_tls_pair(build, use, reach);

	if (pair)
		return add_fix(build, use, to_module(VGP_PC32, pair, -use->distance));
	if (can_relax_tls_call(build, use, reach))
		return relax_tls_call(build, use, reach);
	return refuse_tls(build, use);
}

/* The second line of a call that was rewritten refers to nothing any more. */
static bool is_relaxed_tls_call(const struct vg_piece *piece, const struct vg_line *line)
{
	const uint8_t *end = piece->bytes + line->instruction.address;

	return line->tls_done &&
	       vg_tls_form(end - line->tls_done, line->tls_done + line->instruction.size) !=
		       VG_TLS_CALL;
}

/* The assembler's name for the start of the module's block: local dynamic by descriptor. */
static bool is_tls_block(const struct vg_item *item)
{
	return item->name && !strcmp(item->name, "_TLS_MODULE_BASE_");
}

/* Likewise the words of a descriptor: a function, which the linker chose, and what it takes. */
static struct vg_error *fix_tls_descriptor(struct vg_patch_build *build, const struct use *use,
					   const struct vg_reach *reach)
{
	uint64_t descriptor = reach->has_tls_descriptor ? reach->tls_descriptor : 0;

	if (!descriptor && !vg_item_is_local(use->item))
		descriptor = vg_target_tls_descriptor(build->target, use->item->name, 0);
	if (!descriptor && (reach->has_dtpoff || is_tls_block(use->item)))
		descriptor = vg_target_tls_descriptor(build->target, NULL,
						      reach->has_dtpoff ? reach->dtpoff : 0);
	if (!descriptor || use->offset)
		return refuse_tls(build, use);
	return add_fix(build, use, to_module(VGP_PC32, descriptor, -use->distance));
}

/* Fixed when the target was linked. */
static struct vg_error *fix_tls_offset(struct vg_patch_build *build, const struct use *use,
				       const struct vg_reach *reach)
{
	bool is_long = use->type == R_X86_64_DTPOFF64;
	int64_t value = reach->dtpoff + use->offset;

	if (use->line && counts_from_thread_pointer(build) && reach->has_tpoff)
		return add_fix(build, use,
			       to_thread(is_long ? VGP_TPOFF64 : VGP_TPOFF32, use, reach));
	if (!reach->has_dtpoff)
		return unsupported(use, "its place in the thread-local block is not known");
	if (!is_long && value != (int32_t)value)
		return unsupported(use, "its offset does not fit");
	memcpy(use->piece->bytes + use->field, &value, is_long ? 8 : 4);
	return NULL;
}

static struct vg_error *fix_use(struct vg_patch_build *build, const struct use *use,
				struct vg_reach *reach)
{
	switch (use->type) {
	case VG_RESOLVED_BY_ASSEMBLER:
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
		return fix_relative(build, use, reach);
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
		return fix_slot(build, use, reach);
	case R_X86_64_32:
		return fix_absolute(build, use, reach, VGP_ABS32);
	case R_X86_64_32S:
		return fix_absolute(build, use, reach, VGP_ABS32S);
	case R_X86_64_64:
		return fix_absolute(build, use, reach, VGP_ABS64);
	case R_X86_64_TPOFF32:
	case R_X86_64_TPOFF64:
	case R_X86_64_GOTTPOFF:
		return fix_thread_local(build, use, reach);
	case R_X86_64_TLSGD:
	case R_X86_64_TLSLD:
		return fix_tls_pair(build, use, reach);
	case R_X86_64_GOTPC32_TLSDESC:
		return fix_tls_descriptor(build, use, reach);
	case R_X86_64_DTPOFF32:
	case R_X86_64_DTPOFF64:
		return fix_tls_offset(build, use, reach);
	default:
		break;
	}
	return unsupported(use, "not supported");
}

/* A place inside a function, not the function: only code of the patch itself may go there. */
static struct vg_error *fix_label(struct vg_patch_build *build, const struct use *use)
{
	struct vg_reach reach = {0};

	if (!vg_is_included(build, use->item) && !vg_item_is_part(use->item))
		return unsupported(use, "a place inside a function that is not in the patch");
	VG_TRY(vg_piece_of(build, use->piece->pair, use->item, 0, &reach.piece));
	return fix_use(build, use, &reach);
}

/* In a table of labels the function's first instruction is a label too. */
static bool is_label(const struct use *use)
{
	if (!vg_item_is_function(use->item))
		return false;
	if (use->offset)
		return true;
	return !use->line && use->piece->item->kind == VG_ITEM_ANONYMOUS;
}

static struct vg_error *make_fix(struct vg_patch_build *build, const struct use *use)
{
	struct vg_reach *reach;

	if (!use->item)
		return unsupported(use, "it has no name");
	if (is_label(use))
		return fix_label(build, use);
	VG_TRY(vg_reach(build, use->piece->pair, use->item, &reach));
	return fix_use(build, use, reach);
}

/* What the assembler resolved inside the function moves along; but a call means the function. */
static bool stays_inside(const struct vg_item *item, const struct vg_line *line,
			 const struct vg_reference *reference)
{
	bool is_call = line->instruction.flow == VG_FLOW_CALL && !reference->offset;

	return reference->type == VG_RESOLVED_BY_ASSEMBLER && reference->item == item &&
	       (!is_call || !item->twin);
}

static struct vg_error *fix_code(struct vg_patch_build *build, struct vg_piece *piece)
{
	struct vg_listing *listing;

	VG_TRY(vg_listing_get(build->decoder, piece->item, &listing));
	for (size_t i = 0; i < listing->count; i++) {
		const struct vg_line *line = &listing->lines[i];

		for (unsigned r = 0; r < line->reference_count; r++) {
			const struct vg_reference *reference = &line->references[r];
			struct use use = {
				.piece = piece,
				.line = line,
				.item = reference->item,
				.offset = reference->offset,
				.type = reference->type,
				.field = (uint32_t)line->instruction.address + reference->field,
				.distance = line->instruction.size - reference->field,
			};

			if (stays_inside(piece->item, line, reference) ||
			    is_relaxed_tls_call(piece, line))
				continue;
			if (reference->bytes != 4 && use.type != R_X86_64_64)
				return unsupported(&use, "the field is too small");
			VG_TRY(make_fix(build, &use));
		}
	}
	return NULL;
}

static struct vg_error *fix_data(struct vg_patch_build *build, struct vg_piece *piece)
{
	size_t count;
	struct vg_object_reloc *relocs = vg_item_relocs(piece->item, &count);

	for (size_t i = 0; i < count; i++) {
		int64_t at = (int64_t)(relocs[i].offset - piece->item->offset) - piece->from;
		struct use use = {.piece = piece, .type = relocs[i].type, .field = (uint32_t)at};

		if (at < 0 || at >= (int64_t)piece->size || use.type == R_X86_64_NONE)
			continue;
		if (!vg_entry_target(&relocs[i], at, &use.item, &use.offset, &use.distance))
			use.item = NULL;
		VG_TRY(make_fix(build, &use));
	}
	return NULL;
}

struct vg_error *vg_pieces_complete(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->queue.count; i++) {
		struct vg_piece *piece = build->queue.at[i];

		if (vg_item_is_function(piece->item))
			VG_TRY(fix_code(build, piece));
		else if (piece->bytes)
			VG_TRY(fix_data(build, piece));
	}
	build->queue.count = 0;
	return NULL;
}
