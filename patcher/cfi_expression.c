/* SPDX-License-Identifier: MIT */
/* DWARF expressions as they occur in call frame information (DWARF 5 § 2.5, 6.4.2). */
#include <libdwarf/dwarf.h>

#include "patcher/cfi.h"

#define STACK_MAX 32
/* An expression can loop (DW_OP_skip backwards): the longest real ones take a dozen steps. */
#define STEPS_MAX 1000

struct run {
	const struct cfi_machine *machine;
	struct cfi_cursor cursor;
	uint64_t stack[STACK_MAX];
	unsigned depth;
	bool bad;
};

static void push(struct run *run, uint64_t value)
{
	if (run->depth == STACK_MAX)
		run->bad = true;
	else
		run->stack[run->depth++] = value;
}

static uint64_t pop(struct run *run)
{
	if (!run->depth) {
		run->bad = true;
		return 0;
	}
	return run->stack[--run->depth];
}

static void pick(struct run *run, unsigned index)
{
	if (index >= run->depth)
		run->bad = true;
	else
		push(run, run->stack[run->depth - 1 - index]);
}

static void push_register(struct run *run, uint64_t number, int64_t offset)
{
	if (number >= CFI_REGISTERS || !(run->machine->known & (1u << number)))
		run->bad = true;
	else
		push(run, run->machine->registers[number] + (uint64_t)offset);
}

static void dereference(struct run *run, uint64_t bytes)
{
	uint64_t address = pop(run), value = 0;

	if (run->bad || bytes < 1 || bytes > 8 ||
	    !run->machine->read(run->machine->context, address, &value, bytes))
		run->bad = true;
	push(run, value);
}

static void jump(struct run *run, int64_t distance)
{
	int64_t at = run->cursor.at - run->cursor.start;
	int64_t size = run->cursor.end - run->cursor.start;

	if (run->cursor.bad || distance < -at || distance > size - at)
		run->bad = true;
	else
		run->cursor.at += distance;
}

static void swap(struct run *run)
{
	uint64_t top = pop(run), second = pop(run);

	push(run, top);
	push(run, second);
}

static void rotate(struct run *run)
{
	uint64_t top = pop(run), second = pop(run), third = pop(run);

	push(run, top);
	push(run, third);
	push(run, second);
}

static uint64_t shift_right(uint64_t value, uint64_t bits)
{
	return bits < 64 ? value >> bits : 0;
}

static uint64_t shift_arithmetic(uint64_t value, uint64_t bits)
{
	bool is_negative = value >> 63;

	if (bits > 63)
		return is_negative ? UINT64_MAX : 0;
	return value >> bits | (is_negative ? ~(UINT64_MAX >> bits) : 0);
}

/* INT64_MIN / -1 overflows, and traps on x86. */
static uint64_t divide(struct run *run, uint64_t left, uint64_t right)
{
	if (!right || (left == (uint64_t)INT64_MIN && right == UINT64_MAX)) {
		run->bad = true;
		return 0;
	}
	return (uint64_t)((int64_t)left / (int64_t)right);
}

static uint64_t modulo(struct run *run, uint64_t left, uint64_t right)
{
	if (!right)
		run->bad = true;
	return right ? left % right : 0;
}

static uint64_t arithmetic(struct run *run, uint8_t op, uint64_t left, uint64_t right)
{
	switch (op) {
	case DW_OP_and:
		return left & right;
	case DW_OP_div:
		return divide(run, left, right);
	case DW_OP_minus:
		return left - right;
	case DW_OP_mod:
		return modulo(run, left, right);
	case DW_OP_mul:
		return left * right;
	case DW_OP_or:
		return left | right;
	case DW_OP_plus:
		return left + right;
	case DW_OP_shl:
		return right < 64 ? left << right : 0;
	case DW_OP_shr:
		return shift_right(left, right);
	case DW_OP_shra:
		return shift_arithmetic(left, right);
	default: /* DW_OP_xor */
		return left ^ right;
	}
}

static bool compare(uint8_t op, int64_t left, int64_t right)
{
	switch (op) {
	case DW_OP_eq:
		return left == right;
	case DW_OP_ge:
		return left >= right;
	case DW_OP_gt:
		return left > right;
	case DW_OP_le:
		return left <= right;
	case DW_OP_lt:
		return left < right;
	default: /* DW_OP_ne */
		return left != right;
	}
}

static void step_constant(struct run *run, uint8_t op)
{
	/* const1u, const1s, const2u, … const8s: the size doubles at every second one. */
	unsigned bytes = 1u << ((op - DW_OP_const1u) / 2);
	bool with_sign = (op - DW_OP_const1u) % 2;

	push(run, with_sign ? (uint64_t)cfi_signed(&run->cursor, bytes)
			    : cfi_fixed(&run->cursor, bytes));
}

static void step_stack(struct run *run, uint8_t op)
{
	switch (op) {
	case DW_OP_dup:
		pick(run, 0);
		break;
	case DW_OP_drop:
		pop(run);
		break;
	case DW_OP_over:
		pick(run, 1);
		break;
	case DW_OP_pick:
		pick(run, (unsigned)cfi_fixed(&run->cursor, 1));
		break;
	case DW_OP_swap:
		swap(run);
		break;
	default: /* DW_OP_rot */
		rotate(run);
	}
}

static void step_unary(struct run *run, uint8_t op)
{
	uint64_t value = pop(run);

	switch (op) {
	case DW_OP_abs:
		push(run, (int64_t)value < 0 ? -value : value);
		break;
	case DW_OP_neg:
		push(run, -value);
		break;
	case DW_OP_not:
		push(run, ~value);
		break;
	default: /* DW_OP_plus_uconst */
		push(run, value + cfi_uleb(&run->cursor));
	}
}

static void step_binary(struct run *run, uint8_t op)
{
	uint64_t right = pop(run), left = pop(run);

	if (op >= DW_OP_eq && op <= DW_OP_ne)
		push(run, compare(op, (int64_t)left, (int64_t)right));
	else
		push(run, arithmetic(run, op, left, right));
}

static void step_branch(struct run *run, uint8_t op)
{
	int64_t distance = cfi_signed(&run->cursor, 2);

	if (op == DW_OP_skip || pop(run))
		jump(run, distance);
}

static void step_other(struct run *run, uint8_t op)
{
	uint64_t number;

	switch (op) {
	case DW_OP_nop:
		break;
	case DW_OP_addr:
		push(run, cfi_fixed(&run->cursor, 8));
		break;
	case DW_OP_constu:
		push(run, cfi_uleb(&run->cursor));
		break;
	case DW_OP_consts:
		push(run, (uint64_t)cfi_sleb(&run->cursor));
		break;
	case DW_OP_bregx:
		number = cfi_uleb(&run->cursor);
		push_register(run, number, cfi_sleb(&run->cursor));
		break;
	case DW_OP_deref:
		dereference(run, 8);
		break;
	case DW_OP_deref_size:
		dereference(run, cfi_fixed(&run->cursor, 1));
		break;
	default:
		run->bad = true;
	}
}

static bool is_binary(uint8_t op)
{
	switch (op) {
	case DW_OP_and:
	case DW_OP_div:
	case DW_OP_minus:
	case DW_OP_mod:
	case DW_OP_mul:
	case DW_OP_or:
	case DW_OP_plus:
	case DW_OP_shl:
	case DW_OP_shr:
	case DW_OP_shra:
	case DW_OP_xor:
		return true;
	default:
		return op >= DW_OP_eq && op <= DW_OP_ne;
	}
}

static bool is_unary(uint8_t op)
{
	return op == DW_OP_abs || op == DW_OP_neg || op == DW_OP_not || op == DW_OP_plus_uconst;
}

static void step(struct run *run)
{
	uint8_t op = (uint8_t)cfi_fixed(&run->cursor, 1);

	if (op >= DW_OP_lit0 && op <= DW_OP_lit31)
		push(run, op - DW_OP_lit0);
	else if (op >= DW_OP_breg0 && op <= DW_OP_breg31)
		push_register(run, op - DW_OP_breg0, cfi_sleb(&run->cursor));
	else if (op >= DW_OP_const1u && op <= DW_OP_const8s)
		step_constant(run, op);
	else if (op >= DW_OP_dup && op <= DW_OP_rot)
		step_stack(run, op);
	else if (op == DW_OP_bra || op == DW_OP_skip)
		step_branch(run, op);
	else if (is_unary(op))
		step_unary(run, op);
	else if (is_binary(op))
		step_binary(run, op);
	else
		step_other(run, op);
}

enum cfi_result cfi_evaluate(const struct cfi_slice *expression, const struct cfi_machine *machine,
			     const uint64_t *pushed, uint64_t *value)
{
	struct run run = {.machine = machine, .cursor = cfi_cursor_of(expression)};

	if (pushed)
		push(&run, *pushed);
	for (unsigned i = 0; run.cursor.at < run.cursor.end; i++) {
		if (i == STEPS_MAX)
			return CFI_BROKEN;
		step(&run);
		if (run.bad || run.cursor.bad)
			return CFI_BROKEN;
	}
	*value = pop(&run);
	return run.bad ? CFI_BROKEN : CFI_OK;
}
