/* SPDX-License-Identifier: MIT */
#include "patcher/unwind.h"

#include <string.h>
#include <ucontext.h>

#define ALL_KNOWN ((1u << CFI_REGISTERS) - 1)

struct unwind_frame unwind_frame_of(const struct user_regs_struct *regs, cfi_read_fn *read,
				    void *context)
{
	return (struct unwind_frame){
		.machine =
			{
				.registers =
					{
						[CFI_RAX] = regs->rax,
						[CFI_RDX] = regs->rdx,
						[CFI_RCX] = regs->rcx,
						[CFI_RBX] = regs->rbx,
						[CFI_RSI] = regs->rsi,
						[CFI_RDI] = regs->rdi,
						[CFI_RBP] = regs->rbp,
						[CFI_RSP] = regs->rsp,
						[CFI_R8] = regs->r8,
						[CFI_R9] = regs->r9,
						[CFI_R10] = regs->r10,
						[CFI_R11] = regs->r11,
						[CFI_R12] = regs->r12,
						[CFI_R13] = regs->r13,
						[CFI_R14] = regs->r14,
						[CFI_R15] = regs->r15,
						[CFI_RIP] = regs->rip,
					},
				.known = ALL_KNOWN,
				.read = read,
				.context = context,
			},
		.exact = true,
	};
}

/*
 * The code that every signal handler returns to: mov $15, %eax (long or short form); syscall. glibc
 * describes its copy with CFI, other C libraries and hand-made ones (SA_RESTORER) do not.
 */
static bool is_sigreturn(const struct unwind_frame *frame)
{
	static const uint8_t mov_rax[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
	static const uint8_t mov_eax[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
	const struct cfi_machine *machine = &frame->machine;
	uint8_t code[sizeof(mov_rax)];

	if (!machine->read(machine->context, unwind_ip(frame), code, sizeof(code)))
		return false;
	return !memcmp(code, mov_rax, sizeof(mov_rax)) || !memcmp(code, mov_eax, sizeof(mov_eax));
}

/* In that code rsp points at the ucontext that the kernel made (the handler's ret popped 8 bytes).
 */
static enum unwind_result leave_signal_frame(struct unwind_frame *frame, uint64_t *top)
{
	static const int from[CFI_REGISTERS] = {
		[CFI_RAX] = REG_RAX, [CFI_RDX] = REG_RDX, [CFI_RCX] = REG_RCX, [CFI_RBX] = REG_RBX,
		[CFI_RSI] = REG_RSI, [CFI_RDI] = REG_RDI, [CFI_RBP] = REG_RBP, [CFI_RSP] = REG_RSP,
		[CFI_R8] = REG_R8,   [CFI_R9] = REG_R9,	  [CFI_R10] = REG_R10, [CFI_R11] = REG_R11,
		[CFI_R12] = REG_R12, [CFI_R13] = REG_R13, [CFI_R14] = REG_R14, [CFI_R15] = REG_R15,
		[CFI_RIP] = REG_RIP,
	};
	struct cfi_machine *machine = &frame->machine;
	uint64_t context = machine->registers[CFI_RSP] + offsetof(ucontext_t, uc_mcontext);
	greg_t saved[NGREG];

	if (!machine->read(machine->context, context, saved, sizeof(saved)))
		return UNWIND_BROKEN;
	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		machine->registers[i] = (uint64_t)saved[from[i]];
	machine->known = ALL_KNOWN;
	*top = context;
	frame->exact = frame->interrupted = true;
	return UNWIND_CALLER;
}

static bool frame_address(const struct unwinder *unwinder, const struct unwind_frame *frame,
			  uint64_t *cfa)
{
	const struct cfi_row *row = &unwinder->row;

	if (row->cfa.kind == CFI_IS_EXPRESSION)
		return cfi_evaluate(&row->cfa.expression, &frame->machine, NULL, cfa) == CFI_OK;
	if (!(frame->machine.known & (1u << row->cfa.value)))
		return false;
	*cfa = frame->machine.registers[row->cfa.value] + (uint64_t)row->offset;
	return true;
}

static bool load(const struct cfi_machine *machine, uint64_t address, uint64_t *value)
{
	return machine->read(machine->context, address, value, sizeof(*value));
}

static bool is_register_known(const struct cfi_machine *machine, int64_t number)
{
	return number >= 0 && number < CFI_REGISTERS && (machine->known & (1u << number));
}

/* The value that register `number` has in the caller; *known is cleared if nobody can tell. */
static bool apply_rule(const struct cfi_rule *rule, const struct cfi_machine *machine,
		       unsigned number, uint64_t cfa, uint64_t *value, bool *known)
{
	uint64_t address;

	*known = true;
	switch (rule->kind) {
	case CFI_UNSPECIFIED:
	case CFI_SAME:
		*known = is_register_known(machine, number);
		*value = machine->registers[number];
		return true;
	case CFI_UNDEFINED:
		*known = false;
		return true;
	case CFI_REGISTER:
		*known = is_register_known(machine, rule->value);
		*value = *known ? machine->registers[rule->value] : 0;
		return true;
	case CFI_AT_CFA:
		return load(machine, cfa + (uint64_t)rule->value, value);
	case CFI_IS_CFA:
		*value = cfa + (uint64_t)rule->value;
		return true;
	case CFI_AT_EXPRESSION:
		return cfi_evaluate(&rule->expression, machine, &cfa, &address) == CFI_OK &&
		       load(machine, address, value);
	default:
		return cfi_evaluate(&rule->expression, machine, &cfa, value) == CFI_OK;
	}
}

static bool caller_registers(const struct unwinder *unwinder, const struct unwind_frame *frame,
			     uint64_t cfa, struct cfi_machine *caller)
{
	const struct cfi_row *row = &unwinder->row;

	*caller = frame->machine;
	for (unsigned i = 0; i < CFI_REGISTERS; i++) {
		bool known;

		if (i == CFI_RSP && row->rules[i].kind == CFI_UNSPECIFIED) {
			caller->registers[i] = cfa; /* the CFA is what rsp was before the call */
			caller->known |= 1u << i;
			continue;
		}
		if (!apply_rule(&row->rules[i], &frame->machine, i, cfa, &caller->registers[i],
				&known))
			return false;
		caller->known = known ? caller->known | (1u << i) : caller->known & ~(1u << i);
	}
	return caller->known & (1u << CFI_RIP) && caller->known & (1u << CFI_RSP);
}

/*
 * A return pops at least the return address. Only a signal frame, or the code between two pieces of
 * a split stack, which nothing tells from other code, may lead to another stack.
 */
static bool is_step_up(const struct unwinder *unwinder, const struct unwind_frame *frame,
		       const struct cfi_machine *caller)
{
	return unwinder->entry.signal_frame || frame->is_split ||
	       caller->registers[CFI_RSP] > frame->machine.registers[CFI_RSP];
}

static enum unwind_result step_by_row(struct unwinder *unwinder, struct unwind_frame *frame,
				      uint64_t *top)
{
	struct cfi_machine caller;
	enum cfi_rule_kind ip_rule = unwinder->row.rules[CFI_RIP].kind;

	if (!frame_address(unwinder, frame, top))
		return UNWIND_BROKEN;
	if (ip_rule == CFI_UNDEFINED)
		return UNWIND_OUTERMOST;
	if (ip_rule == CFI_UNSPECIFIED || ip_rule == CFI_SAME)
		return UNWIND_BROKEN;
	if (!caller_registers(unwinder, frame, *top, &caller) ||
	    !is_step_up(unwinder, frame, &caller))
		return UNWIND_BROKEN;
	frame->machine = caller;
	frame->exact = frame->interrupted = unwinder->entry.signal_frame;
	return UNWIND_CALLER;
}

/*
 * The code that makecontext() makes a coroutine's function return to, glibc's __start_context. It
 * has no usable unwind information: an FDE from its first byte on, as if it had been called.
 * A suspended coroutine has its address as the last return address. Once the function has
 * returned, the call of setcontext() in it puts the address behind that call into the same word,
 * so that what is left of a finished coroutine can be told from one that will go on.
 */
static bool is_context_start(const struct unwinder *unwinder, uint64_t address)
{
	static const uint8_t code[] = {
		0x48, 0x89, 0xdc,	/* mov %rbx,%rsp */
		0x48, 0x8b, 0x3c, 0x24, /* mov (%rsp),%rdi */
		0x48, 0x85, 0xff,	/* test %rdi,%rdi */
	};
	uint8_t found[sizeof(code)];
	struct cfi_table table;

	return unwind_modules_find(unwinder->modules, address, &table) &&
	       table.read(table.context, address, found, sizeof(found)) &&
	       !memcmp(found, code, sizeof(code));
}

static bool is_returned_to_context_start(const struct unwinder *unwinder,
					 const struct unwind_frame *frame)
{
	return !frame->exact && is_context_start(unwinder, unwind_ip(frame));
}

static enum unwind_result step_by_entry(struct unwinder *unwinder, struct unwind_frame *frame,
					uint64_t pc, uint64_t *top)
{
	if (is_context_start(unwinder, unwinder->entry.start)) {
		*top = frame->machine.registers[CFI_RSP];
		frame->is_coroutine = frame->finished = true;
		return UNWIND_OUTERMOST;
	}
	if (cfi_row_at(&unwinder->entry, pc, &unwinder->row) != CFI_OK)
		return UNWIND_BROKEN;
	return step_by_row(unwinder, frame, top);
}

enum unwind_result unwind_step(struct unwinder *unwinder, struct unwind_frame *frame, uint64_t *top)
{
	uint64_t pc = unwind_ip(frame) - (frame->exact ? 0 : 1);
	struct cfi_table table;
	enum cfi_result result = CFI_MISSING;

	if (is_returned_to_context_start(unwinder, frame)) {
		frame->is_coroutine = true;
		*top = frame->machine.registers[CFI_RSP];
		return UNWIND_OUTERMOST;
	}
	if (unwind_modules_find(unwinder->modules, pc, &table))
		result = cfi_find(&table, pc, &unwinder->entry);
	if (result == CFI_MISSING)
		return is_sigreturn(frame) ? leave_signal_frame(frame, top) : UNWIND_MISSING;
	return result == CFI_OK ? step_by_entry(unwinder, frame, pc, top) : UNWIND_BROKEN;
}
