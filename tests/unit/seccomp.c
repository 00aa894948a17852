/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "patcher/seccomp.h"
#include "tests/lib/suite.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIELD(name)  ((uint32_t)offsetof(struct seccomp_data, name))
#define LOAD(field)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

static const struct seccomp_data mmap_call = {
	.nr = SYS_mmap,
	.arch = AUDIT_ARCH_X86_64,
	.instruction_pointer = 0x7f0000001234,
	.args = {0x10000, 0x3000, PROT_READ | PROT_EXEC, 0x100000022, 0xffffffffffffffff, 0},
};

static uint32_t run(const struct sock_filter *code, size_t count)
{
	uint32_t result = 0xdead;

	ck_assert(vg_seccomp_run(code, count, &mmap_call, &result));
	return result;
}

START_TEST(a_filter_sees_number_architecture_and_arguments)
{
	const struct sock_filter code[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_WRITE, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
		RETURN(SECCOMP_RET_ALLOW),
	};

	ck_assert_uint_eq(run(code, COUNT(code)), SECCOMP_RET_ALLOW);
}
END_TEST

START_TEST(the_upper_half_of_an_argument_counts)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(args[3]) + 4),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	ck_assert_uint_eq(run(code, COUNT(code)), 1);
}
END_TEST

START_TEST(arithmetic_wraps_at_32_bits)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_IMM, 0xffffffff),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 3),	 /* 2 */
		BPF_STMT(BPF_MISC | BPF_TAX, 0),	 /* X = 2 */
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_X, 0),	 /* 8 */
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 5),	 /* 40 */
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),	 /* 38 */
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 3),	 /* 12 */
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 1),	 /* 13 */
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 16),	 /* 29 */
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 27), /* 25 */
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1),	 /* 12 */
		BPF_STMT(BPF_ST, 15),
		BPF_STMT(BPF_ALU | BPF_NEG, 0),
		BPF_STMT(BPF_LDX | BPF_MEM, 15),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0), /* 0 */
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	ck_assert_uint_eq(run(code, COUNT(code)), 0);
}
END_TEST

START_TEST(a_division_by_zero_ends_the_filter_with_kill)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_IMM, 0),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		RETURN(SECCOMP_RET_ALLOW),
	};

	ck_assert_uint_eq(run(code, COUNT(code)), SECCOMP_RET_KILL_THREAD);
}
END_TEST

START_TEST(comparisons_are_unsigned)
{
	const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_IMM, 0x80000000),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 0x7fffffff, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x80000000, 0, 1),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_TRAP),
	};

	ck_assert_uint_eq(run(code, COUNT(code)), SECCOMP_RET_ALLOW);
}
END_TEST

START_TEST(the_most_restrictive_filter_wins)
{
	struct sock_filter allow[] = {RETURN(SECCOMP_RET_ALLOW)};
	struct sock_filter deny[] = {RETURN(SECCOMP_RET_ERRNO | EPERM)};
	struct sock_filter kill[] = {RETURN(SECCOMP_RET_KILL_PROCESS)};
	struct sock_filter log[] = {RETURN(SECCOMP_RET_LOG)};
	struct vg_seccomp_filter filters[] = {{allow, 1}, {log, 1}, {deny, 1}, {kill, 1}};
	struct vg_seccomp seccomp = {.filters = filters, .count = 1};

	ck_assert_uint_eq(vg_seccomp_action(&seccomp, &mmap_call), SECCOMP_RET_ALLOW);
	seccomp.count = 2;
	ck_assert_uint_eq(vg_seccomp_action(&seccomp, &mmap_call), SECCOMP_RET_LOG);
	ck_assert(vg_seccomp_passes(vg_seccomp_action(&seccomp, &mmap_call)));
	seccomp.count = 3;
	ck_assert(!vg_seccomp_passes(vg_seccomp_action(&seccomp, &mmap_call)));
	seccomp.count = 4;
	ck_assert_str_eq(vg_seccomp_action_name(vg_seccomp_action(&seccomp, &mmap_call)),
			 "KILL_PROCESS");
}
END_TEST

/* What the kernel would never have installed counts as KILL. */
static const struct sock_filter invalid[][2] = {
	{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 62), RETURN(SECCOMP_RET_ALLOW)},
	{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(SECCOMP_RET_ALLOW)},
	{BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(SECCOMP_RET_ALLOW)},
	{BPF_STMT(BPF_LD | BPF_MEM, 16), RETURN(SECCOMP_RET_ALLOW)},
	{BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 2), RETURN(SECCOMP_RET_ALLOW)},
	{BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), RETURN(SECCOMP_RET_ALLOW)},
	{BPF_JUMP(BPF_JMP | BPF_JA, 0xffffffff, 0, 0), RETURN(SECCOMP_RET_ALLOW)},
	{BPF_STMT(BPF_ST, 16), RETURN(SECCOMP_RET_ALLOW)},
	{BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 2), BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 2)},
};

START_TEST(a_filter_that_the_kernel_would_not_take_denies)
{
	struct vg_seccomp_filter filter = {(struct sock_filter *)invalid[_i], 2};
	struct vg_seccomp seccomp = {.filters = &filter, .count = 1};
	uint32_t result;

	ck_assert(!vg_seccomp_run(invalid[_i], 2, &mmap_call, &result));
	ck_assert_uint_eq(vg_seccomp_action(&seccomp, &mmap_call), SECCOMP_RET_KILL_PROCESS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("seccomp");
	TCase *tcase = tcase_create("seccomp");

	tcase_add_test(tcase, a_filter_sees_number_architecture_and_arguments);
	tcase_add_test(tcase, the_upper_half_of_an_argument_counts);
	tcase_add_test(tcase, arithmetic_wraps_at_32_bits);
	tcase_add_test(tcase, a_division_by_zero_ends_the_filter_with_kill);
	tcase_add_test(tcase, comparisons_are_unsigned);
	tcase_add_test(tcase, the_most_restrictive_filter_wins);
	tcase_add_loop_test(tcase, a_filter_that_the_kernel_would_not_take_denies, 0,
			    COUNT(invalid));
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
