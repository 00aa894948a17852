/* SPDX-License-Identifier: MIT */
/* Running the program of an entry up to an address (DWARF 5 § 6.4.2, 6.4.3). */
#include <libdwarf/dwarf.h>
#include <string.h>

#include "patcher/cfi.h"

/* remember_state may nest; compilers use one level, hand-written code two or three. */
#define STATES_MAX 8

struct run {
	const struct cfi_entry *entry;
	uint64_t pc, location;
	struct cfi_row *row;
	struct cfi_row initial; /* what DW_CFA_restore goes back to */
	bool is_initial;	/* still in the CIE's program */
	struct cfi_row states[STATES_MAX];
	unsigned state_count;
};

/* Rules of registers that the unwinder does not follow (vector registers) land in a spare. */
static struct cfi_rule *rule_of(struct run *run, uint64_t number)
{
	static _Thread_local struct cfi_rule spare;

	return number < CFI_REGISTERS ? &run->row->rules[number] : &spare;
}

static void set_rule(struct run *run, uint64_t number, enum cfi_rule_kind kind, int64_t value)
{
	*rule_of(run, number) = (struct cfi_rule){.kind = kind, .value = value};
}

static int64_t factored(const struct run *run, uint64_t offset)
{
	return (int64_t)(offset * (uint64_t)run->entry->data_align);
}

static bool restore(struct run *run, uint64_t number)
{
	if (run->is_initial)
		return false;
	if (number < CFI_REGISTERS)
		run->row->rules[number] = run->initial.rules[number];
	return true;
}

static void advance(struct run *run, uint64_t delta)
{
	run->location += delta * run->entry->code_align;
}

static void set_cfa(struct run *run, uint64_t number, int64_t offset)
{
	run->row->cfa = (struct cfi_rule){.kind = CFI_REGISTER, .value = (int64_t)number};
	run->row->offset = offset;
}

static bool set_cfa_offset(struct run *run, int64_t offset)
{
	run->row->offset = offset;
	return run->row->cfa.kind == CFI_REGISTER;
}

static bool set_cfa_register(struct run *run, uint64_t number)
{
	run->row->cfa.value = (int64_t)number;
	return run->row->cfa.kind == CFI_REGISTER;
}

static bool remember_state(struct run *run)
{
	if (run->state_count == STATES_MAX)
		return false;
	run->states[run->state_count++] = *run->row;
	return true;
}

static bool restore_state(struct run *run)
{
	if (!run->state_count)
		return false;
	*run->row = run->states[--run->state_count];
	return true;
}

static bool step_cfa(struct run *run, struct cfi_cursor *cursor, uint8_t op)
{
	uint64_t number;

	switch (op) {
	case DW_CFA_def_cfa:
		number = cfi_uleb(cursor);
		set_cfa(run, number, (int64_t)cfi_uleb(cursor));
		return true;
	case DW_CFA_def_cfa_sf:
		number = cfi_uleb(cursor);
		set_cfa(run, number, factored(run, (uint64_t)cfi_sleb(cursor)));
		return true;
	case DW_CFA_def_cfa_register:
		return set_cfa_register(run, cfi_uleb(cursor));
	case DW_CFA_def_cfa_offset:
		return set_cfa_offset(run, (int64_t)cfi_uleb(cursor));
	case DW_CFA_def_cfa_offset_sf:
		return set_cfa_offset(run, factored(run, (uint64_t)cfi_sleb(cursor)));
	case DW_CFA_def_cfa_expression:
		run->row->cfa.kind = CFI_IS_EXPRESSION;
		run->row->cfa.expression = cfi_block(cursor, cfi_uleb(cursor));
		return true;
	default: /* also what another ISA means by a vendor's number */
		return false;
	}
}

static void step_expression(struct run *run, struct cfi_cursor *cursor, enum cfi_rule_kind kind)
{
	uint64_t number = cfi_uleb(cursor);

	*rule_of(run, number) = (struct cfi_rule){
		.kind = kind,
		.expression = cfi_block(cursor, cfi_uleb(cursor)),
	};
}

static bool step_register(struct run *run, struct cfi_cursor *cursor, uint8_t op)
{
	uint64_t number = cfi_uleb(cursor);

	switch (op) {
	case DW_CFA_offset_extended:
		set_rule(run, number, CFI_AT_CFA, factored(run, cfi_uleb(cursor)));
		return true;
	case DW_CFA_offset_extended_sf:
		set_rule(run, number, CFI_AT_CFA, factored(run, (uint64_t)cfi_sleb(cursor)));
		return true;
	case DW_CFA_GNU_negative_offset_extended:
		set_rule(run, number, CFI_AT_CFA, -factored(run, cfi_uleb(cursor)));
		return true;
	case DW_CFA_val_offset:
		set_rule(run, number, CFI_IS_CFA, factored(run, cfi_uleb(cursor)));
		return true;
	case DW_CFA_val_offset_sf:
		set_rule(run, number, CFI_IS_CFA, factored(run, (uint64_t)cfi_sleb(cursor)));
		return true;
	case DW_CFA_undefined:
		set_rule(run, number, CFI_UNDEFINED, 0);
		return true;
	case DW_CFA_same_value:
		set_rule(run, number, CFI_SAME, 0);
		return true;
	case DW_CFA_register:
		set_rule(run, number, CFI_REGISTER, (int64_t)cfi_uleb(cursor));
		return true;
	default: /* DW_CFA_restore_extended */
		return restore(run, number);
	}
}

static bool step_extended(struct run *run, struct cfi_cursor *cursor, uint8_t op)
{
	switch (op) {
	case DW_CFA_nop:
		return true;
	case DW_CFA_set_loc:
		run->location = cfi_pointer(cursor, run->entry->pointer_encoding, 0);
		return true;
	case DW_CFA_advance_loc1:
		advance(run, cfi_fixed(cursor, 1));
		return true;
	case DW_CFA_advance_loc2:
		advance(run, cfi_fixed(cursor, 2));
		return true;
	case DW_CFA_advance_loc4:
		advance(run, cfi_fixed(cursor, 4));
		return true;
	case DW_CFA_remember_state:
		return remember_state(run);
	case DW_CFA_restore_state:
		return restore_state(run);
	case DW_CFA_GNU_args_size:
		cfi_uleb(cursor);
		return true;
	case DW_CFA_expression:
		step_expression(run, cursor, CFI_AT_EXPRESSION);
		return true;
	case DW_CFA_val_expression:
		step_expression(run, cursor, CFI_IS_EXPRESSION);
		return true;
	case DW_CFA_offset_extended:
	case DW_CFA_offset_extended_sf:
	case DW_CFA_GNU_negative_offset_extended:
	case DW_CFA_val_offset:
	case DW_CFA_val_offset_sf:
	case DW_CFA_undefined:
	case DW_CFA_same_value:
	case DW_CFA_register:
	case DW_CFA_restore_extended:
		return step_register(run, cursor, op);
	default:
		return step_cfa(run, cursor, op);
	}
}

static bool step(struct run *run, struct cfi_cursor *cursor)
{
	uint8_t op = (uint8_t)cfi_fixed(cursor, 1);
	uint8_t operand = op & 0x3f;

	switch (op & 0xc0) {
	case DW_CFA_advance_loc:
		advance(run, operand);
		return true;
	case DW_CFA_offset:
		set_rule(run, operand, CFI_AT_CFA, factored(run, cfi_uleb(cursor)));
		return true;
	case DW_CFA_restore:
		return restore(run, operand);
	default:
		return step_extended(run, cursor, op);
	}
}

/* Runs a program until it ends or describes addresses behind `pc`. */
static bool run_program(struct run *run, const struct cfi_slice *program)
{
	struct cfi_cursor cursor = cfi_cursor_of(program);

	while (cursor.at < cursor.end) {
		uint64_t before = run->location;

		if (!step(run, &cursor) || cursor.bad)
			return false;
		if (run->location < before)
			return false;
		if (run->location > run->pc)
			break;
	}
	return true;
}

enum cfi_result cfi_row_at(const struct cfi_entry *entry, uint64_t pc, struct cfi_row *row)
{
	struct run run = {.entry = entry, .pc = pc, .location = entry->start, .row = row};

	memset(row, 0, sizeof(*row));
	run.is_initial = true;
	if (!run_program(&run, &entry->initial))
		return CFI_BROKEN;
	run.is_initial = false;
	run.initial = *row;
	run.location = entry->start;
	run.state_count = 0;
	if (!run_program(&run, &entry->program))
		return CFI_BROKEN;
	if (row->cfa.kind == CFI_REGISTER)
		return row->cfa.value < CFI_RIP ? CFI_OK : CFI_BROKEN;
	return row->cfa.kind == CFI_IS_EXPRESSION ? CFI_OK : CFI_BROKEN;
}
