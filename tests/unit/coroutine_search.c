// SPDX-License-Identifier: MIT
/* The search for saved contexts, in this process's own memory. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "patcher/coroutine.h"
#include "patcher/stack_memory.h"
#include "patcher/written.h"
#include "tests/lib/suite.h"
#include "tests/lib/written.h"

#define PAGE ((size_t)4096)

struct found {
	struct vg_memory memory;
	struct unwind_modules modules;
	struct coroutine_search search;
};

/* `protector`: -1 = none. */
static void look_with(struct found *found, int protector)
{
	struct vg_error *error;

	*found = (struct found){.search.memory = &found->memory};
	ck_assert_ptr_null(vg_memory_open(getpid(), &found->memory));
	unwind_modules_open(&found->modules, &found->memory);
	error = unwind_modules_refresh(&found->modules);
	ck_assert_ptr_null(error);
	if (protector >= 0)
		vg_written_protect(protector, getpid(), &found->modules.file.maps);
	found->search.maps = &found->modules.file.maps;
	ck_assert(coroutine_guard(&found->memory, &found->search.guard));
	error = coroutine_search(&found->search);
	ck_assert_ptr_null(error);
}

static void look(struct found *found)
{
	look_with(found, -1);
}

static void search_written(struct found *found)
{
	found->search.only_written = true;
	ck_assert_ptr_null(unwind_modules_refresh(&found->modules));
	ck_assert_ptr_null(coroutine_search(&found->search));
}

static void forget(struct found *found)
{
	coroutine_search_clear(&found->search);
	coroutine_sweep_free(found->search.sweep);
	unwind_modules_close(&found->modules);
	vg_memory_close(&found->memory);
}

static const struct coroutine_context *context_at(const struct found *found, const void *address)
{
	for (size_t i = 0; i < found->search.count; i++)
		if (found->search.contexts[i].address == (uint64_t)address)
			return &found->search.contexts[i];
	return NULL;
}

START_TEST(the_guard_is_the_one_that_this_process_uses)
{
	struct vg_memory memory;
	uint64_t guard, real;

	__asm__("mov %%fs:0x30, %0" : "=r"(real));
	ck_assert_ptr_null(vg_memory_open(getpid(), &memory));
	ck_assert(coroutine_guard(&memory, &guard));
	vg_memory_close(&memory);
	ck_assert_uint_eq(guard, real);
}
END_TEST

START_TEST(a_jmp_buf_on_the_heap_is_found_and_read)
{
	jmp_buf *buffer = malloc(sizeof(*buffer));
	uint64_t frame = (uint64_t)__builtin_frame_address(0);
	struct found found;

	if (setjmp(*buffer))
		ck_abort();
	look(&found);

	const struct coroutine_context *context = context_at(&found, buffer);
	ck_assert_ptr_nonnull(context);
	ck_assert_int_eq(context->kind, COROUTINE_JMP_BUF);
	ck_assert_uint_lt(context->registers[CFI_RSP], frame);
	ck_assert_uint_gt(context->registers[CFI_RSP] + 65536, frame);
	forget(&found);
	free(buffer);
}
END_TEST

static ucontext_t in_data;

START_TEST(a_ucontext_in_static_memory_is_found_and_read)
{
	struct found found;

	getcontext(&in_data);
	look(&found);

	const struct coroutine_context *context = context_at(&found, &in_data);
	ck_assert_ptr_nonnull(context);
	ck_assert_int_eq(context->kind, COROUTINE_UCONTEXT);
	ck_assert_uint_eq(context->registers[CFI_RIP],
			  (uint64_t)in_data.uc_mcontext.gregs[REG_RIP]);
	forget(&found);
}
END_TEST

/* The two words that give a jmp_buf away lie on different pages. */
START_TEST(a_jmp_buf_across_pages_is_found)
{
	char *pages =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	jmp_buf *buffer = (jmp_buf *)(pages + PAGE - 56);
	struct found found;

	if (setjmp(*buffer))
		ck_abort();
	look(&found);
	ck_assert_ptr_nonnull(context_at(&found, buffer));
	forget(&found);
}
END_TEST

START_TEST(mappings_over_64_mib_are_left_out_and_counted)
{
	size_t bytes = (size_t)65 << 20;
	jmp_buf *buffer =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct found found;

	if (setjmp(*buffer))
		ck_abort();
	look(&found);
	ck_assert_ptr_null(context_at(&found, buffer));
	ck_assert_uint_ge(found.search.left_out, bytes);
	forget(&found);
}
END_TEST

/* More pages than one read takes, none beside another. */
START_TEST(jmp_bufs_on_scattered_pages_are_all_found)
{
	const size_t count = 300;
	char *pages = mmap(NULL, 2 * count * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct found found;

	for (volatile size_t i = 0; i < count; i++)
		if (setjmp(*(jmp_buf *)(pages + 2 * i * PAGE + 8 * i)))
			ck_abort();
	look(&found);
	for (size_t i = 0; i < count; i++)
		ck_assert_ptr_nonnull(context_at(&found, pages + 2 * i * PAGE + 8 * i));
	forget(&found);
}
END_TEST

START_TEST(the_heap_is_searched_however_large_it_is)
{
	size_t bytes = (size_t)65 << 20;
	char *start = sbrk((intptr_t)bytes);
	jmp_buf *buffer = (jmp_buf *)(((uintptr_t)start + bytes - PAGE) & ~(uintptr_t)15);
	struct found found;

	if (setjmp(*buffer))
		ck_abort();
	look(&found);
	ck_assert_ptr_nonnull(context_at(&found, buffer));
	forget(&found);
}
END_TEST

static void *map(size_t bytes)
{
	char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(pages, MAP_FAILED);
	return pages;
}

START_TEST(of_protected_memory_only_what_was_written_is_searched_again)
{
	const size_t bytes = (size_t)16 << 20;
	char *pages = map(bytes), *untouched = map(bytes);
	jmp_buf *old = (jmp_buf *)pages, *written = (jmp_buf *)(pages + 100 * PAGE);
	jmp_buf *grown = (jmp_buf *)(untouched + 7 * PAGE);
	int protector = vg_track_writes();
	struct found found;

	memset(pages, 1, bytes);
	if (setjmp(*old))
		ck_abort();
	look_with(&found, protector);
	ck_assert_ptr_nonnull(context_at(&found, old));
	ck_assert_uint_ge(found.search.bytes, bytes);

	jmp_buf *new = map(2 * PAGE);

	if (setjmp(*written) || setjmp(*grown) || setjmp(*new))
		ck_abort();
	search_written(&found);
	ck_assert_ptr_nonnull(context_at(&found, written));
	ck_assert_ptr_nonnull(context_at(&found, grown));
	ck_assert_ptr_nonnull(context_at(&found, new));
	ck_assert_ptr_null(context_at(&found, old));
	ck_assert_uint_lt(found.search.bytes, bytes);
	close(protector);
	forget(&found);
}
END_TEST

static void note_taken(void *context, uint64_t start, uint64_t end)
{
	const uint64_t *wanted = context;

	if (*wanted >= start && *wanted < end)
		*(uint64_t *)context = 0;
}

/* What is taken counts as written only if it is written once more. */
START_TEST(a_round_protects_again_what_it_searches)
{
	char *pages = map(2 * PAGE);
	jmp_buf *first = (jmp_buf *)pages, *second = (jmp_buf *)(pages + PAGE);
	uint64_t wanted = (uint64_t)first;
	int protector = vg_track_writes();
	struct found found;

	memset(pages, 1, 2 * PAGE);
	look_with(&found, protector);
	if (setjmp(*first))
		ck_abort();
	found.search.protects_again = true;
	found.search.taken = note_taken;
	found.search.taken_context = &wanted;
	search_written(&found);
	ck_assert_ptr_nonnull(context_at(&found, first));
	ck_assert_uint_eq(wanted, 0);
	ck_assert(!found.search.lost_track);

	found.search.protects_again = false;
	found.search.taken = NULL;
	if (setjmp(*second))
		ck_abort();
	search_written(&found);
	ck_assert_ptr_nonnull(context_at(&found, second));
	ck_assert_ptr_null(context_at(&found, first));
	ck_assert(coroutine_search_has(&found.search, (uint64_t)second, (uint64_t)second + 1));
	ck_assert(!coroutine_search_has(&found.search, (uint64_t)first, (uint64_t)first + PAGE));
	if (setjmp(*first))
		ck_abort();
	search_written(&found);
	ck_assert_ptr_nonnull(context_at(&found, first));
	close(protector);
	forget(&found);
}
END_TEST

/* Heaps of threads grow so: memory that could not be written when the maps were read. */
START_TEST(a_round_that_takes_what_it_cannot_place_says_so)
{
	char *pages = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int protector = vg_track_writes();
	struct found found;

	look_with(&found, protector);
	ck_assert_int_eq(mprotect(pages, PAGE, PROT_READ | PROT_WRITE), 0);
	pages[0] = 1;
	found.search.only_written = found.search.protects_again = true;
	ck_assert_ptr_null(coroutine_search(&found.search));
	ck_assert(found.search.lost_track);
	close(protector);
	forget(&found);
}
END_TEST

START_TEST(two_searches_are_merged_without_doubles)
{
	jmp_buf *buffers = malloc(3 * sizeof(*buffers));
	struct found found, later;

	if (setjmp(buffers[0]))
		ck_abort();
	look(&found);
	if (setjmp(buffers[2]) || setjmp(buffers[1]))
		ck_abort();
	look(&later);
	ck_assert_ptr_null(coroutine_search_merge(&found.search, &later.search));
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_nonnull(context_at(&found, &buffers[i]));
	for (size_t i = 1; i < found.search.count; i++)
		ck_assert(found.search.contexts[i - 1].address < found.search.contexts[i].address ||
			  found.search.contexts[i - 1].kind != found.search.contexts[i].kind);
	forget(&later);
	forget(&found);
	free(buffers);
}
END_TEST

START_TEST(a_context_that_was_cleared_is_no_longer_read)
{
	struct coroutine_context context;
	struct found found;

	getcontext(&in_data);
	look(&found);
	ck_assert(coroutine_read(&found.search, (uint64_t)&in_data, COROUTINE_UCONTEXT, &context));
	in_data.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)&in_data; /* no code */
	ck_assert(!coroutine_read(&found.search, (uint64_t)&in_data, COROUTINE_UCONTEXT, &context));
	forget(&found);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("coroutine search");
	TCase *tcase = tcase_create("search");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_guard_is_the_one_that_this_process_uses);
	tcase_add_test(tcase, a_jmp_buf_on_the_heap_is_found_and_read);
	tcase_add_test(tcase, a_ucontext_in_static_memory_is_found_and_read);
	tcase_add_test(tcase, a_jmp_buf_across_pages_is_found);
	tcase_add_test(tcase, jmp_bufs_on_scattered_pages_are_all_found);
	tcase_add_test(tcase, the_heap_is_searched_however_large_it_is);
	tcase_add_test(tcase, mappings_over_64_mib_are_left_out_and_counted);
	tcase_add_test(tcase, of_protected_memory_only_what_was_written_is_searched_again);
	tcase_add_test(tcase, a_round_protects_again_what_it_searches);
	tcase_add_test(tcase, a_round_that_takes_what_it_cannot_place_says_so);
	tcase_add_test(tcase, two_searches_are_merged_without_doubles);
	tcase_add_test(tcase, a_context_that_was_cleared_is_no_longer_read);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
