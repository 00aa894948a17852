/* SPDX-License-Identifier: MIT */
#include "patcher/seccomp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include <vgraft/rules.h>

#define MAX_FILTERS 4096

struct machine {
	uint32_t a, x;
	uint32_t memory[BPF_MEMWORDS];
};

/* Arithmetic is 32 bits wide and unsigned. False: division by zero, which ends a filter with 0. */
static bool compute(uint32_t operation, uint32_t operand, uint32_t *a)
{
	switch (operation) {
	case BPF_ADD:
		*a += operand;
		return true;
	case BPF_SUB:
		*a -= operand;
		return true;
	case BPF_MUL:
		*a *= operand;
		return true;
	case BPF_DIV:
		if (!operand)
			return false;
		*a /= operand;
		return true;
	case BPF_AND:
		*a &= operand;
		return true;
	case BPF_OR:
		*a |= operand;
		return true;
	case BPF_XOR:
		*a ^= operand;
		return true;
	case BPF_LSH:
		*a <<= operand & 31;
		return true;
	case BPF_RSH:
		*a >>= operand & 31;
		return true;
	case BPF_NEG:
		*a = -*a;
		return true;
	default:
		return false;
	}
}

static bool is_known_operation(uint32_t operation)
{
	return operation <= BPF_NEG || operation == BPF_XOR;
}

static bool compare(uint32_t operation, uint32_t a, uint32_t operand)
{
	switch (operation) {
	case BPF_JEQ:
		return a == operand;
	case BPF_JGT:
		return a > operand;
	case BPF_JGE:
		return a >= operand;
	default:
		return a & operand; /* BPF_JSET */
	}
}

/* BPF_LD and BPF_LDX; false: not an instruction that seccomp takes. */
static bool load(const struct sock_filter *op, const struct seccomp_data *data, struct machine *m)
{
	bool into_x = BPF_CLASS(op->code) == BPF_LDX;
	uint32_t *into = into_x ? &m->x : &m->a;

	if (BPF_SIZE(op->code) != BPF_W)
		return false;
	switch (BPF_MODE(op->code)) {
	case BPF_IMM:
		*into = op->k;
		return true;
	case BPF_LEN:
		*into = sizeof(*data);
		return true;
	case BPF_MEM:
		if (op->k >= BPF_MEMWORDS)
			return false;
		*into = m->memory[op->k];
		return true;
	case BPF_ABS:
		if (into_x || op->k % 4 || op->k > sizeof(*data) - 4)
			return false;
		memcpy(into, (const char *)data + op->k, sizeof(*into));
		return true;
	default:
		return false;
	}
}

static bool store(const struct sock_filter *op, struct machine *m)
{
	if (op->k >= BPF_MEMWORDS)
		return false;
	m->memory[op->k] = BPF_CLASS(op->code) == BPF_ST ? m->a : m->x;
	return true;
}

/* How far a jump goes beyond the next instruction; false: not a jump that seccomp takes. */
static bool jump(const struct sock_filter *op, const struct machine *m, size_t *distance)
{
	uint32_t operand = BPF_SRC(op->code) == BPF_X ? m->x : op->k;
	uint32_t operation = BPF_OP(op->code);

	if (operation > BPF_JSET)
		return false;
	if (operation == BPF_JA)
		*distance = op->k;
	else
		*distance = compare(operation, m->a, operand) ? op->jt : op->jf;
	return true;
}

static bool misc(const struct sock_filter *op, struct machine *m)
{
	if (BPF_MISCOP(op->code) == BPF_TAX)
		m->x = m->a;
	else if (BPF_MISCOP(op->code) == BPF_TXA)
		m->a = m->x;
	else
		return false;
	return true;
}

bool vg_seccomp_run(const struct sock_filter *code, size_t count, const struct seccomp_data *data,
		    uint32_t *result)
{
	struct machine m = {0};

	for (size_t at = 0; at < count; at++) {
		const struct sock_filter *op = &code[at];
		uint32_t operand = BPF_SRC(op->code) == BPF_X ? m.x : op->k;
		size_t distance = 0;
		bool known = true;

		switch (BPF_CLASS(op->code)) {
		case BPF_RET:
			*result = BPF_RVAL(op->code) == BPF_A ? m.a : op->k;
			return true;
		case BPF_LD:
		case BPF_LDX:
			known = load(op, data, &m);
			break;
		case BPF_ST:
		case BPF_STX:
			known = store(op, &m);
			break;
		case BPF_ALU:
			known = is_known_operation(BPF_OP(op->code));
			if (known && !compute(BPF_OP(op->code), operand, &m.a)) {
				*result = 0;
				return true;
			}
			break;
		case BPF_JMP:
			known = jump(op, &m, &distance);
			break;
		default: /* BPF_MISC */
			known = misc(op, &m);
			break;
		}
		if (!known || distance >= count - at)
			return false;
		at += distance;
	}
	return false;
}

/* Actions are ordered as signed numbers: KILL_PROCESS is the lowest. */
static bool is_stricter(uint32_t a, uint32_t b)
{
	return (int32_t)(a & SECCOMP_RET_ACTION_FULL) < (int32_t)(b & SECCOMP_RET_ACTION_FULL);
}

uint32_t vg_seccomp_action(const struct vg_seccomp *seccomp, const struct seccomp_data *data)
{
	uint32_t strictest = SECCOMP_RET_ALLOW;

	for (size_t i = 0; i < seccomp->count; i++) {
		uint32_t action;

		if (!vg_seccomp_run(seccomp->filters[i].code, seccomp->filters[i].count, data,
				    &action))
			action = SECCOMP_RET_KILL_PROCESS;
		if (is_stricter(action, strictest))
			strictest = action;
	}
	return strictest;
}

const char *vg_seccomp_action_name(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_KILL_PROCESS:
		return "KILL_PROCESS";
	case SECCOMP_RET_KILL_THREAD:
		return "KILL_THREAD";
	case SECCOMP_RET_TRAP:
		return "TRAP";
	case SECCOMP_RET_ERRNO:
		return "ERRNO";
	case SECCOMP_RET_USER_NOTIF:
		return "USER_NOTIF";
	case SECCOMP_RET_TRACE:
		return "TRACE";
	case SECCOMP_RET_LOG:
		return "LOG";
	case SECCOMP_RET_ALLOW:
		return "ALLOW";
	default:
		return "KILL_PROCESS"; /* what the kernel does with an unknown action */
	}
}

/* One filter; *done: there is no filter with that index. */
static struct vg_error *read_filter(pid_t tid, size_t index, struct vg_seccomp_filter *filter,
				    bool *done)
{
	long count = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)index, NULL);

	*done = count < 0 && errno == ENOENT;
	if (*done)
		return NULL;
	if (count > 0) {
		filter->code = calloc((size_t)count, sizeof(*filter->code));
		if (!filter->code)
			return vg_error_new(VG_FAILED, "out of memory for a seccomp filter");
		count = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (void *)index, filter->code);
	}
	if (count > 0) {
		filter->count = (size_t)count;
		return NULL;
	}
	return vg_error_refuse(VG_RULE_SECCOMP,
			       "cannot read seccomp filter %zu of thread %d (%s), so nobody can "
			       "tell which system calls it denies; run vgraft as root, or allow it "
			       "with --suspend-seccomp",
			       index, tid, strerror(errno));
}

static struct vg_error *add_filter(struct vg_seccomp *seccomp, struct vg_seccomp_filter filter)
{
	struct vg_seccomp_filter *filters =
		reallocarray(seccomp->filters, seccomp->count + 1, sizeof(*filters));

	if (!filters) {
		free(filter.code);
		return vg_error_new(VG_FAILED, "out of memory for seccomp filters");
	}
	seccomp->filters = filters;
	filters[seccomp->count++] = filter;
	return NULL;
}

struct vg_error *vg_seccomp_read(pid_t tid, int mode, struct vg_seccomp *seccomp)
{
	*seccomp = (struct vg_seccomp){0};
	if (mode == SECCOMP_MODE_STRICT)
		return vg_error_refuse(VG_RULE_SECCOMP,
				       "thread %d is in strict seccomp mode, in which any call but "
				       "read, write, exit and sigreturn kills it",
				       tid);
	for (size_t i = 0; mode == SECCOMP_MODE_FILTER && i < MAX_FILTERS; i++) {
		struct vg_seccomp_filter filter = {0};
		bool done;
		struct vg_error *error = read_filter(tid, i, &filter, &done);

		if (error || done) {
			free(filter.code);
			return error;
		}
		VG_TRY(add_filter(seccomp, filter));
	}
	return NULL;
}

void vg_seccomp_clear(struct vg_seccomp *seccomp)
{
	for (size_t i = 0; i < seccomp->count; i++)
		free(seccomp->filters[i].code);
	free(seccomp->filters);
	*seccomp = (struct vg_seccomp){0};
}
