// SPDX-License-Identifier: MIT
/* Unwinding this very process with the information that its modules carry. */
#include <execinfo.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "patcher/stack_chain.h"
#include "tests/lib/suite.h"

#define KEEP __attribute__((noinline, noclone, noipa))

static struct vg_memory memory;
static struct unwinder unwinder;
static struct unwind_modules modules;
static struct stack_chain chain;

static bool read_self(void *context, uint64_t address, void *buffer, size_t count)
{
	(void)context;
	return stack_read(&memory, address, buffer, count);
}

static struct unwind_frame frame_of(const ucontext_t *context)
{
	const greg_t *saved = context->uc_mcontext.gregs;
	struct user_regs_struct regs = {
		.rip = (uint64_t)saved[REG_RIP],
		.rsp = (uint64_t)saved[REG_RSP],
		.rbp = (uint64_t)saved[REG_RBP],
		.rbx = (uint64_t)saved[REG_RBX],
		.r12 = (uint64_t)saved[REG_R12],
		.r13 = (uint64_t)saved[REG_R13],
		.r14 = (uint64_t)saved[REG_R14],
		.r15 = (uint64_t)saved[REG_R15],
	};

	return unwind_frame_of(&regs, read_self, NULL);
}

static void open_modules(void)
{
	ck_assert_ptr_null(vg_memory_open(getpid(), &memory));
	unwind_modules_open(&modules, &memory);
	struct vg_error *error = unwind_modules_refresh(&modules);
	ck_assert_ptr_null(error);
	unwinder.modules = &modules;
}

KEEP static void walk_deep(int depth, void **expected, int *expected_count)
{
	if (depth) {
		walk_deep(depth - 1, expected, expected_count);
		__asm__ volatile("" ::: "memory");
		return;
	}

	struct stack_ranges none = stack_ranges_of(NULL, 0);
	ucontext_t context;

	*expected_count = backtrace(expected, CHAIN_KEPT_MAX);
	getcontext(&context);

	struct unwind_frame frame = frame_of(&context);
	stack_chain_walk(&unwinder, &frame, &none, &chain);
}

START_TEST(every_frame_is_the_one_that_the_c_library_sees)
{
	void *expected[CHAIN_KEPT_MAX];
	int count;

	open_modules();
	walk_deep(10, expected, &count);
	ck_assert_int_eq(chain.end, UNWIND_OUTERMOST);
	ck_assert_int_gt(count, 12);
	/*
	 * From the outside in; the innermost frame is left out, because backtrace() and
	 * getcontext() are called from two places (and a sanitizer may put one in between).
	 */
	ck_assert_uint_ge((size_t)count, chain.count);
	for (size_t i = 1; i < chain.count; i++)
		ck_assert_uint_eq(chain.kept[chain.count - i], (uint64_t)expected[count - (int)i]);
	unwind_modules_close(&modules);
	vg_memory_close(&memory);
}
END_TEST

START_TEST(code_outside_all_modules_ends_the_chain_as_unknown)
{
	struct stack_ranges none = stack_ranges_of(NULL, 0);
	uint64_t stack[8] = {0};
	struct user_regs_struct regs = {.rip = (uint64_t)stack, .rsp = (uint64_t)stack};

	open_modules();

	struct unwind_frame frame = unwind_frame_of(&regs, read_self, NULL);
	stack_chain_walk(&unwinder, &frame, &none, &chain);
	ck_assert_int_eq(chain.end, UNWIND_MISSING);
	ck_assert_uint_eq(chain.count, 1);
	unwind_modules_close(&modules);
	vg_memory_close(&memory);
}
END_TEST

START_TEST(a_return_address_that_points_nowhere_ends_the_chain_as_unknown)
{
	struct stack_ranges none = stack_ranges_of(NULL, 0);
	uint64_t stack[2] = {0x1234, 0};
	struct user_regs_struct regs = {.rip = (uint64_t)walk_deep, .rsp = (uint64_t)stack};

	open_modules();

	struct unwind_frame frame = unwind_frame_of(&regs, read_self, NULL);
	stack_chain_walk(&unwinder, &frame, &none, &chain);
	ck_assert_int_eq(chain.end, UNWIND_MISSING);
	ck_assert_uint_eq(chain.count, 2);
	ck_assert_uint_eq(chain.last_ip, 0x1234);
	unwind_modules_close(&modules);
	vg_memory_close(&memory);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("unwind");
	TCase *tcase = tcase_create("unwind");

	tcase_add_test(tcase, every_frame_is_the_one_that_the_c_library_sees);
	tcase_add_test(tcase, code_outside_all_modules_ends_the_chain_as_unknown);
	tcase_add_test(tcase, a_return_address_that_points_nowhere_ends_the_chain_as_unknown);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
