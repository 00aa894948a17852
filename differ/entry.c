/* SPDX-License-Identifier: MIT */
/*
 * The displaced instructions of a changed function: whole instructions that cover the 5 bytes that
 * arming overwrites, moved into the patch, followed by a jump to what stands behind them.
 *
 *   1. Nothing may branch into bytes 1..4 of the entry: it would land inside the jump.
 *   2. Instructions are taken until they cover 5 bytes. A function that ends before that may go on
 *      into padding up to the next function, which nothing executes.
 *   3. Each is copied; what counts from the instruction pointer is counted anew. Short branches
 *      become near ones; loop and jrcxz, which have no near form, branch around a jmp.
 *   4. A jump leads to the instruction behind the entry, unless the last one never gets there.
 */
#include <string.h>

#include "common/error.h"
#include "differ/earlier.h"
#include "differ/patch_build.h"

struct displacement {
	struct vg_patch_build *build;
	struct vg_change *change;
	struct vg_piece *piece;
	uint64_t entry;	   /* address in the target */
	uint64_t code_end; /* of the function itself */
	uint8_t *out;
	uint32_t size;
};

static struct vg_error *too_short(struct displacement *d, const char *why)
{
	struct vg_change *change = d->change;
	struct vg_error *error = vg_refuse(
		d->build, VG_RULE_SHORT_ENTRY, change->post->source,
		vg_place_of(d->build, change->pair, change->post),
		"%s cannot be redirected: %s; change its callers instead", change->post->name, why);

	/* There is no way to go on that a human could vouch for. */
	return error
		       ?: vg_error_refuse(VG_RULE_SHORT_ENTRY, "%s: %s cannot be redirected: %s",
					  change->pair->unit->file, change->post->name, why);
}

static bool is_inside_entry(int64_t offset)
{
	return offset > 0 && offset < VGP_JUMP_BYTES;
}

static bool code_branches_into(struct vg_listing *listing, const struct vg_item *item)
{
	for (size_t i = 0; i < listing->count; i++)
		for (unsigned r = 0; r < listing->lines[i].reference_count; r++)
			if (listing->lines[i].references[r].item == item &&
			    is_inside_entry(listing->lines[i].references[r].offset))
				return true;
	return false;
}

static bool data_points_into(const struct vg_item *user, const struct vg_item *item)
{
	size_t count;
	struct vg_object_reloc *relocs = vg_item_relocs(user, &count);

	for (size_t i = 0; i < count; i++) {
		int64_t at = (int64_t)(relocs[i].offset - user->offset), offset;
		int64_t bias =
			vg_reloc_is_pc_relative(relocs[i].type) ? vg_item_start(user, at) - at : 0;
		struct vg_item *to;

		if (vg_reloc_target(&relocs[i], bias, &to, &offset) && to == item &&
		    is_inside_entry(offset))
			return true;
	}
	return false;
}

/* Step 1. The old object's references are complete: its bytes were found in the target. */
static struct vg_error *check_branches(struct displacement *d)
{
	struct vg_item *pre = d->change->match->item;
	struct vg_listing *listing;

	VG_TRY(vg_listing_get(d->build->decoder, pre, &listing));
	if (code_branches_into(listing, pre))
		return too_short(d, "it branches into its own first 5 bytes");
	for (size_t i = 0; i < pre->user_count; i++) {
		struct vg_item *user = pre->users[i];
		bool found = !vg_item_is_function(user) && data_points_into(user, pre);

		if (vg_item_is_function(user)) {
			VG_TRY(vg_listing_get(d->build->decoder, user, &listing));
			found = code_branches_into(listing, pre);
		}
		if (found)
			return too_short(d, "something branches into its first 5 bytes");
	}
	return NULL;
}

static bool is_function_start(const struct vg_target *target, uint64_t address)
{
	if (vg_target_function_at(target, address))
		return true;
	for (size_t i = 0; i < target->by_name_count; i++)
		if (target->by_name[i]->sym.st_value == address &&
		    target->by_name[i]->sym.st_shndx != SHN_UNDEF &&
		    GELF_ST_TYPE(target->by_name[i]->sym.st_info) != STT_TLS)
			return true;
	return false;
}

/* Step 2: nop, int3 or zero between two functions. */
static bool is_unused(struct displacement *d, uint64_t address, uint8_t *size)
{
	const uint8_t *bytes = vg_target_bytes(d->build->target, address, 1);
	struct vg_instruction instruction;

	if (!bytes || is_function_start(d->build->target, address))
		return false;
	*size = 1;
	if (*bytes == 0xcc || *bytes == 0)
		return true;
	for (unsigned room = VG_MAX_INSTRUCTION; room; room--) {
		bytes = vg_target_bytes(d->build->target, address, room);
		if (bytes)
			return vg_decode(d->build->decoder, bytes, room, address, &instruction) &&
			       instruction.is_padding && (*size = instruction.size);
	}
	return false;
}

static void put(struct displacement *d, const void *bytes, uint32_t count)
{
	memcpy(d->out + d->size, bytes, count);
	d->size += count;
}

/* A 4-byte field that counts from the instruction behind it and means an address of the module. */
static struct vg_error *put_relative(struct displacement *d, uint64_t address)
{
	struct vg_fix fix = {
		.offset = d->size,
		.type = VGP_PC32,
		.kind = VG_SPOT_MODULE,
		.address = address,
		.addend = -4,
		.name = vg_item_text(d->change->post),
	};

	put(d, "\0\0\0\0", 4);
	return vg_piece_add_fix(d->build, d->piece, fix);
}

static struct vg_error *displace_branch(struct displacement *d, const uint8_t *bytes,
					const struct vg_instruction *instruction)
{
	uint8_t opcode = bytes[instruction->branch_offset - 1], near[2] = {0x0f, 0};

	if (instruction->branch_bytes == 4) {
		put(d, bytes, instruction->branch_offset);
	} else if (opcode == 0xeb) {
		put(d, "\xe9", 1);
	} else if ((opcode & 0xf0) == 0x70) {
		near[1] = 0x80 | (opcode & 0x0f);
		put(d, near, 2);
	} else {
		/* loop over: jmp 1f;  over: jmp target;  1: */
		put(d, bytes, instruction->branch_offset);
		put(d, "\x02\xeb\x05\xe9", 4);
	}
	return put_relative(d, instruction->target);
}

static struct vg_error *displace_memory(struct displacement *d, const uint8_t *bytes,
					const struct vg_instruction *instruction)
{
	unsigned field = instruction->displacement_offset;
	struct vg_fix fix = {
		.offset = d->size + field,
		.type = VGP_PC32,
		.kind = VG_SPOT_MODULE,
		.address = instruction->target,
		.addend = -(int64_t)(instruction->size - field),
		.name = vg_target_symbol_at(d->build->target, instruction->target),
	};

	put(d, bytes, instruction->size);
	memset(d->out + fix.offset, 0, 4);
	return vg_piece_add_fix(d->build, d->piece, fix);
}

/* Step 3. */
static struct vg_error *displace(struct displacement *d, const uint8_t *bytes,
				 const struct vg_instruction *instruction)
{
	if (instruction->branch_bytes)
		return displace_branch(d, bytes, instruction);
	if (instruction->is_rip_relative)
		return displace_memory(d, bytes, instruction);
	if (instruction->is_unmovable)
		return too_short(d, "its entry holds an instruction that cannot be moved");
	put(d, bytes, instruction->size);
	return NULL;
}

static bool never_falls_through(uint8_t flow)
{
	return flow == VG_FLOW_JUMP || flow == VG_FLOW_JUMP_INDIRECT || flow == VG_FLOW_RETURN ||
	       flow == VG_FLOW_STOP;
}

static struct vg_error *extend_into_padding(struct displacement *d, unsigned *covered)
{
	while (*covered < VGP_JUMP_BYTES) {
		uint8_t size;

		if (!is_unused(d, d->entry + *covered, &size))
			return too_short(d, "it is shorter than 5 bytes and something follows");
		*covered += size;
	}
	return NULL;
}

static void note_move(struct displacement *d, unsigned covered)
{
	unsigned i = d->change->move_count++;

	d->change->moves[i].from = (uint8_t)covered;
	d->change->moves[i].to = (uint8_t)d->size;
}

/* Steps 2 to 4. */
static struct vg_error *displace_entry(struct displacement *d)
{
	struct vg_instruction instruction = {0};
	unsigned covered = 0;

	while (covered < VGP_JUMP_BYTES && d->entry + covered < d->code_end) {
		uint64_t address = d->entry + covered;
		uint64_t left = d->code_end - address;
		const uint8_t *bytes = vg_target_bytes(d->build->target, address, left);

		if (!bytes || !vg_decode(d->build->decoder, bytes, left, address, &instruction))
			return too_short(d, "its entry cannot be decoded");
		note_move(d, covered);
		VG_TRY(displace(d, bytes, &instruction));
		covered += instruction.size;
	}
	note_move(d, covered);
	VG_TRY(extend_into_padding(d, &covered));
	if (!never_falls_through(instruction.flow)) {
		put(d, "\xe9", 1);
		VG_TRY(put_relative(d, d->entry + covered));
	}
	if (covered > VGP_MAX_ENTRY)
		return too_short(d, "its first instructions are too long");
	/* Readers take it for granted that the copy is no smaller than the entry. */
	while (d->size < covered)
		put(d, "\xcc", 1);
	d->change->entry_bytes = (uint8_t)covered;
	d->piece->size = d->size;
	return NULL;
}

struct vg_error *vg_entry_displace(struct vg_patch_build *build, struct vg_change *change)
{
	struct displacement d = {
		.build = build,
		.change = change,
		.entry = change->match->address,
		.code_end = change->match->address + change->match->bytes,
	};

	/* A patch that armed the entry before has looked. */
	if (!vg_earlier_is_taken(change->pre))
		VG_TRY(check_branches(&d));
	/* At most five instructions, each at most 15 bytes or 10 for a branch; and the jump. */
	VG_TRY(vg_piece_new(build, VG_PIECE_DISPLACED, 5 * VG_MAX_INSTRUCTION + 16, 4, &d.piece));
	d.out = d.piece->bytes;
	change->displaced = d.piece;
	return displace_entry(&d);
}
