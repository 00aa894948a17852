/* SPDX-License-Identifier: MIT */
/*
 * Any instructions as a seccomp filter, run on any call: 64 bytes of struct seccomp_data, then
 * struct sock_filter[]. A program that the kernel would take must run to its RET; no program may
 * run for ever or read beyond itself.
 */
#include <string.h>

#include "patcher/seccomp.h"
#include "tests/fuzz/lib/input.h"

/* What the kernel takes for seccomp (seccomp(2), Linux socket filter), operands in range. */
static bool is_instruction_valid(const struct sock_filter *op, size_t left)
{
	switch (op->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return op->k % 4 == 0 && op->k < sizeof(struct seccomp_data);
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_ALU | BPF_NEG:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
		return true;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return op->k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
		return op->k < left;
	default:
		break;
	}
	if (BPF_CLASS(op->code) == BPF_JMP)
		return op->code <= 0xff && BPF_OP(op->code) != BPF_JA &&
		       BPF_OP(op->code) <= BPF_JSET && op->jt < left && op->jf < left;
	if (BPF_CLASS(op->code) != BPF_ALU || op->code > 0xff)
		return false;
	switch (BPF_OP(op->code)) {
	case BPF_DIV:
		return BPF_SRC(op->code) == BPF_X || op->k;
	case BPF_LSH:
	case BPF_RSH:
		return BPF_SRC(op->code) == BPF_X || op->k < 32;
	case BPF_ADD:
	case BPF_SUB:
	case BPF_MUL:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		return true;
	default:
		return false;
	}
}

static bool is_filter_valid(const struct sock_filter *code, size_t count)
{
	if (!count || count > BPF_MAXINSNS || BPF_CLASS(code[count - 1].code) != BPF_RET)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!is_instruction_valid(&code[i], count - i - 1))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_data call;

	if (size < sizeof(call))
		return 0;
	memcpy(&call, data, sizeof(call));

	size_t count = (size - sizeof(call)) / sizeof(struct sock_filter);
	struct sock_filter *code = calloc(count + 1, sizeof(*code));
	struct vg_seccomp_filter filters[] = {{code, count}, {code, count / 2}};
	uint32_t result = 0;

	PROMISE(code);
	memcpy(code, data + sizeof(call), count * sizeof(*code));
	bool ran = vg_seccomp_run(code, count, &call, &result);
	PROMISE(ran || !is_filter_valid(code, count));
	/* A second filter can only make it stricter. */
	struct vg_seccomp one = {filters, 1}, both = {filters, 2};
	uint32_t action = vg_seccomp_action(&both, &call);
	PROMISE(!vg_seccomp_passes(action) || vg_seccomp_passes(vg_seccomp_action(&one, &call)));
	fuzz_touch_string(vg_seccomp_action_name(action));
	free(code);
	return 0;
}
