/* SPDX-License-Identifier: MIT */
/* The search for pointers into a patch, in this process's own memory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "patcher/pointer_search.h"
#include "tests/lib/suite.h"

#define PAGE ((size_t)4096)

/* Where a patch could lie. No constant of this program has the address, only sums made at run time.
 */
static volatile uint64_t half = 0x2a5511000000 / 2;
#define AREA_BYTES 0x7000ull

struct place {
	struct vg_memory memory;
	struct vg_maps maps;
	struct vg_pointer_range range;
	struct vg_pointer_search search;
	uint8_t *page;
};

static void set_up(struct place *p)
{
	*p = (struct place){.page = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
	ck_assert_ptr_ne(p->page, MAP_FAILED);
	memset(p->page, 0x5a, 3 * PAGE);
	ck_assert_ptr_null(vg_memory_open(getpid(), &p->memory));
	p->search = (struct vg_pointer_search){.memory = &p->memory,
					       .maps = &p->maps,
					       .tid = getpid(),
					       .ranges = &p->range,
					       .range_count = 1};
}

/* The range is in this process's memory only while it is searched, and then only our own words. */
static uint64_t search(struct place *p)
{
	uint64_t found;

	vg_maps_clear(&p->maps);
	ck_assert_ptr_null(vg_maps_read(getpid(), &p->maps));
	for (size_t i = 0; i < p->maps.count; i++)
		if (p->maps.maps[i].start > (uintptr_t)p->page ||
		    p->maps.maps[i].end <= (uintptr_t)p->page)
			p->maps.maps[i].executable = true; /* not searched */
	p->range = (struct vg_pointer_range){half * 2, half * 2 + AREA_BYTES};
	ck_assert_ptr_null(vg_pointer_search(&p->search));
	found = p->search.found;
	p->range = (struct vg_pointer_range){0, 0};
	return found;
}

static void put(struct place *p, size_t at, uint64_t value)
{
	memcpy(p->page + at, &value, sizeof(value));
}

static void tear_down(struct place *p)
{
	munmap(p->page, 3 * PAGE);
	vg_maps_clear(&p->maps);
	vg_memory_close(&p->memory);
}

static const struct {
	size_t at;
	uint64_t offset;
	bool found;
} words[] = {
	{64, 0, true},
	{64, 0x1234, true},
	{64, AREA_BYTES, true}, /* one past the end */
	{64, AREA_BYTES + 1, false},
	{64, (uint64_t)-1, false},
	{68, 0x1234, true},   /* struct epoll_event is packed */
	{1020, 0x1234, true}, /* across two of the blocks that are looked at in one go */
	{4092, 0x1234, true}, /* across two pages */
	{2 * PAGE + 4088, 0x1234, true},
};

START_TEST(a_word_is_found_wherever_it_is)
{
	struct place p;

	set_up(&p);
	ck_assert_uint_eq(search(&p), 0);
	put(&p, words[_i].at, half * 2 + words[_i].offset);
	ck_assert_uint_eq(search(&p), words[_i].found ? (uintptr_t)p.page + words[_i].at : 0);
	tear_down(&p);
}
END_TEST

START_TEST(memory_that_is_read_only_by_now_is_searched)
{
	struct place p;

	set_up(&p);
	put(&p, 64, half * 2);
	ck_assert_int_eq(mprotect(p.page, 3 * PAGE, PROT_READ), 0);
	ck_assert_uint_eq(search(&p), (uintptr_t)p.page + 64);
	tear_down(&p);
}
END_TEST

START_TEST(a_pointer_that_glibc_mangled_is_found)
{
	uint64_t guard = 0x7766554433221100, value;
	struct place p;

	set_up(&p);
	value = (half * 2 + 0x40) ^ guard;
	put(&p, 128, value << 17 | value >> 47);
	ck_assert_uint_eq(search(&p), 0);
	p.search.has_guard = true;
	p.search.guard = guard;
	ck_assert_uint_eq(search(&p), (uintptr_t)p.page + 128);
	tear_down(&p);
}
END_TEST

/* A guard page below makes it a stack; what is below the stack pointer and its red zone is dead. */
START_TEST(what_is_dead_on_a_stack_does_not_count)
{
	uint64_t pointers[2];
	struct place p;

	set_up(&p);
	put(&p, PAGE + 64, half * 2);
	ck_assert_int_eq(mprotect(p.page, PAGE, PROT_NONE), 0);
	pointers[0] = (uintptr_t)p.page + 2 * PAGE;
	p.page += PAGE;
	p.search.stack_pointers = pointers;
	ck_assert_uint_eq(search(&p), (uintptr_t)p.page + 64);
	p.search.stack_pointer_count = 1;
	ck_assert_uint_eq(search(&p), 0);
	pointers[0] = (uintptr_t)p.page + 64 + 128;
	ck_assert_uint_eq(search(&p), (uintptr_t)p.page + 64);
	/* Another stack lies lower in the same mapping: nothing between the two is dead. */
	pointers[0] = (uintptr_t)p.page + PAGE;
	pointers[1] = (uintptr_t)p.page + 32;
	p.search.stack_pointer_count = 2;
	ck_assert_uint_eq(search(&p), (uintptr_t)p.page + 64);
	p.search.skip_stacks = true;
	ck_assert_uint_eq(search(&p), 0);
	p.page -= PAGE;
	tear_down(&p);
}
END_TEST

START_TEST(a_register_is_looked_at_like_memory)
{
	uint64_t registers[4] = {1, 2, 3, 4};
	struct place p;

	set_up(&p);
	p.range = (struct vg_pointer_range){half * 2, half * 2 + AREA_BYTES};
	ck_assert(!vg_pointer_search_bytes(&p.search, registers, sizeof(registers)));
	registers[3] = half * 2 + 8;
	ck_assert(vg_pointer_search_bytes(&p.search, registers, sizeof(registers)));
	tear_down(&p);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pointer_search");
	TCase *tcase = tcase_create("search");

	tcase_add_loop_test(tcase, a_word_is_found_wherever_it_is, 0,
			    sizeof(words) / sizeof(words[0]));
	tcase_add_test(tcase, memory_that_is_read_only_by_now_is_searched);
	tcase_add_test(tcase, a_pointer_that_glibc_mangled_is_found);
	tcase_add_test(tcase, what_is_dead_on_a_stack_does_not_count);
	tcase_add_test(tcase, a_register_is_looked_at_like_memory);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
