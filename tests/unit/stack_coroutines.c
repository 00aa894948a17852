/* SPDX-License-Identifier: MIT */
/* What is known of coroutines before a stop counts in it only as long as nothing was written. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "patcher/stack_check.h"
#include "patcher/stack_thread.h"
#include "patcher/stop.h"
#include "patcher/written.h"
#include "tests/lib/suite.h"
#include "tests/lib/written.h"

#define STACK_BYTES ((size_t)64 << 10)

/* The function that a patch would change: a section of its own tells where it ends. */
extern char __start_changed_text[], __stop_changed_text[];

static ucontext_t maker, *coroutine; /* on a page that nothing else is on */

__attribute__((noinline, section("changed_text"))) static void changed(void)
{
	swapcontext(coroutine, &maker);
	__asm__ volatile("");
}

__attribute__((noinline)) static void unchanged(void)
{
	swapcontext(coroutine, &maker);
	__asm__ volatile("");
}

/* Comes to stand in the one and in the other in turn. */
static void run(void)
{
	for (;;) {
		unchanged();
		changed();
	}
}

/* The thread's own context is nobody's any more when it is back. */
static void resume(void)
{
	ck_assert_int_eq(swapcontext(&maker, coroutine), 0);
	memset(&maker, 0, sizeof(maker));
}

static void *map(size_t bytes)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

static void make_coroutine(void)
{
	coroutine = map(sizeof(*coroutine));
	ck_assert_int_eq(getcontext(coroutine), 0);
	coroutine->uc_stack.ss_sp = map(STACK_BYTES);
	coroutine->uc_stack.ss_size = STACK_BYTES;
	makecontext(coroutine, run, 0);
	resume();
}

struct place {
	struct vg_stacks *stacks;
	struct vg_memory memory;
	struct vg_code_range range;
	int protector;
	enum vg_verdict verdict;
	struct vg_blocker blocker;
	char *why;
	unsigned count;
};

/* As quiesce.c does it before a stop. */
static void prepare(struct place *p)
{
	struct vg_maps maps;
	uint64_t bytes;
	bool lost;

	*p = (struct place){.range = {.start = (uint64_t)__start_changed_text,
				      .end = (uint64_t)__stop_changed_text,
				      .function = "changed",
				      .is_entry = true}};
	make_coroutine();
	p->protector = vg_track_writes();
	ck_assert_ptr_null(vg_memory_open(getpid(), &p->memory));
	ck_assert_ptr_null(vg_stacks_open(getpid(), &p->memory, &p->stacks));
	vg_stacks_track(p->stacks);
	ck_assert_ptr_null(vg_maps_read(getpid(), &maps));
	vg_written_protect(p->protector, getpid(), &maps);
	vg_maps_clear(&maps);
	ck_assert_ptr_null(vg_stacks_prepare(p->stacks, NULL, 0));
	ck_assert_ptr_null(vg_stacks_follow(p->stacks, NULL, NULL, &bytes, &lost));
	ck_assert(!lost);
	vg_stacks_settle(p->stacks, &p->range, 1);
}

static const struct coroutine_context *find(const struct place *p)
{
	const struct coroutine_search *before = &p->stacks->before;

	for (size_t i = 0; i < before->count; i++)
		if (before->contexts[i].address == (uint64_t)coroutine)
			return &before->contexts[i];
	ck_abort_msg("the coroutine was not found");
}

/*
 * Each assertion of Check's leaves a setjmp() below, which lies in later frames. Nobody tells the
 * patcher's check of this thread, so that it would count.
 */
__attribute__((noinline, no_sanitize_address)) static void wipe_stack(void)
{
	volatile char below[16 << 10];

	for (size_t i = 0; i < sizeof(below); i++)
		below[i] = 0;
}

static void check(struct place *p)
{
	wipe_stack();
	ck_assert_ptr_null(vg_stacks_check_coroutines(p->stacks, &p->range, 1, &p->verdict,
						      &p->blocker, &p->why, &p->count));
}

static void end(struct place *p)
{
	free(p->why);
	vg_blocker_clear(&p->blocker);
	vg_stacks_close(p->stacks);
	vg_memory_close(&p->memory);
	close(p->protector);
}

START_TEST(a_coroutine_that_slept_on_since_it_was_judged_is_not_judged_again)
{
	struct place p;

	prepare(&p);
	ck_assert_int_eq(find(&p)->settled, COROUTINE_SAFE);
	check(&p);
	ck_assert_msg(p.verdict == VG_SAFE, "0x%lx: %s", p.blocker.coroutine, p.why);
	ck_assert_int_eq(find(&p)->settled, COROUTINE_SAFE);
	ck_assert_uint_ge(p.count, 1);
	end(&p);
}
END_TEST

START_TEST(a_coroutine_that_ran_into_the_changed_function_since_it_was_judged_is_unsafe)
{
	struct place p;

	prepare(&p);
	ck_assert_int_eq(find(&p)->settled, COROUTINE_SAFE);
	resume();
	check(&p);
	ck_assert_int_eq(p.verdict, VG_UNSAFE);
	ck_assert_uint_eq(p.blocker.coroutine, (uint64_t)coroutine);
	ck_assert_str_eq(p.blocker.function, "changed");
	end(&p);
}
END_TEST

/* The verdict was about other code. */
START_TEST(what_was_settled_for_one_patch_is_not_for_another)
{
	struct vg_code_range other;
	struct place p;

	prepare(&p);
	other = p.range;
	ck_assert_ptr_null(vg_stacks_check_coroutines(p.stacks, &other, 1, &p.verdict, &p.blocker,
						      &p.why, &p.count));
	ck_assert_int_eq(p.verdict, VG_SAFE);
	ck_assert_int_eq(find(&p)->settled, COROUTINE_NOT_SETTLED);
	end(&p);
}
END_TEST

/* The pages are listed with the maps that are known, while somebody looks whether they are true. */
START_TEST(a_coroutine_in_memory_that_was_mapped_since_the_search_is_unsafe)
{
	struct vg_beside beside;
	struct place p;

	prepare(&p);
	make_coroutine();
	resume();
	vg_beside_start(&beside);
	if (_i)
		vg_stacks_stand(p.stacks, &beside);
	check(&p);
	vg_stacks_resumed(p.stacks);
	vg_beside_end(&beside);
	ck_assert_int_eq(p.verdict, VG_UNSAFE);
	ck_assert_uint_eq(p.blocker.coroutine, (uint64_t)coroutine);
	end(&p);
}
END_TEST

/* A page that is looked for in what was written. */
struct wanted {
	uint64_t page;
	bool found;
};

static void look_for_page(void *context, uint64_t start, uint64_t end)
{
	struct wanted *wanted = context;

	wanted->found |= start <= wanted->page && wanted->page < end;
}

START_TEST(after_the_check_it_is_known_which_pages_were_written)
{
	char *pages = map((size_t)3 * getpagesize());
	struct wanted written = {.page = (uint64_t)(pages + getpagesize())};
	struct wanted quiet = {.page = (uint64_t)pages};
	struct place p;

	memset(pages, 1, (size_t)3 * getpagesize());
	prepare(&p);
	pages[getpagesize()] = 2;
	ck_assert(!vg_stacks_written(p.stacks, look_for_page, &written));
	check(&p);
	ck_assert(vg_stacks_written(p.stacks, look_for_page, &written));
	ck_assert(written.found);
	ck_assert(vg_stacks_written(p.stacks, look_for_page, &quiet));
	ck_assert(!quiet.found);
	ck_assert_ptr_null(vg_stacks_prepare(p.stacks, NULL, 0));
	ck_assert(!vg_stacks_written(p.stacks, look_for_page, &written));
	end(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("settled coroutines");
	TCase *tests = tcase_create("settled");

	tcase_add_test(tests, a_coroutine_that_slept_on_since_it_was_judged_is_not_judged_again);
	tcase_add_test(
		tests,
		a_coroutine_that_ran_into_the_changed_function_since_it_was_judged_is_unsafe);
	tcase_add_test(tests, what_was_settled_for_one_patch_is_not_for_another);
	tcase_add_loop_test(tests, a_coroutine_in_memory_that_was_mapped_since_the_search_is_unsafe,
			    0, 2);
	tcase_add_test(tests, after_the_check_it_is_known_which_pages_were_written);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
