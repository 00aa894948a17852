/* SPDX-License-Identifier: MIT */
/* The search for pointers into a patch, in this process's own memory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "patcher/pages.h"
#include "patcher/pointer_search.h"
#include "patcher/written.h"
#include "tests/lib/suite.h"
#include "tests/lib/written.h"

#define PAGE ((size_t)4096)

/* Where a patch could lie. No constant of this program has the address, only sums made at run time.
 */
static volatile uint64_t half = 0x2a5511000000 / 2;
#define AREA_BYTES 0x7000ull

static uint8_t buffer[VG_POINTER_SEARCH_BYTES];

struct place {
	struct vg_memory memory;
	struct vg_maps maps;
	struct vg_pointer_range range;
	struct vg_suspects suspects;
	struct vg_pointer_search search;
	uint8_t *page;
	uint8_t *also; /* lies in one more mapping that is searched, or NULL */
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
					       .pagemap = vg_pages_open(getpid()),
					       .ranges = &p->range,
					       .range_count = 1,
					       .buffer = buffer};
}

static bool has(const struct vg_map *map, const uint8_t *address)
{
	return map->start <= (uintptr_t)address && (uintptr_t)address < map->end;
}

static void read_maps(struct place *p)
{
	vg_maps_clear(&p->maps);
	ck_assert_ptr_null(vg_maps_read(getpid(), &p->maps));
	for (size_t i = 0; i < p->maps.count; i++)
		if (!has(&p->maps.maps[i], p->page) && !has(&p->maps.maps[i], p->also))
			p->maps.maps[i].executable = true; /* not searched */
}

/* The range is in this process's memory only while it is searched, and then only our own words. */
static uint64_t run(struct place *p, void (*search)(struct vg_pointer_search *search))
{
	uint64_t found;

	read_maps(p);
	p->range = (struct vg_pointer_range){half * 2, half * 2 + AREA_BYTES};
	search(&p->search);
	found = p->search.found;
	p->range = (struct vg_pointer_range){0, 0};
	return found;
}

static uint64_t search(struct place *p)
{
	return run(p, vg_pointer_search);
}

static void take_survey(struct vg_pointer_search *search)
{
	ck_assert_ptr_null(vg_pointer_survey(search));
}

static uint64_t survey(struct place *p)
{
	p->search.suspects = &p->suspects;
	return run(p, take_survey);
}

static void put(struct place *p, size_t at, uint64_t value)
{
	memcpy(p->page + at, &value, sizeof(value));
}

static void tear_down(struct place *p)
{
	munmap(p->page, 3 * PAGE);
	vg_maps_clear(&p->maps);
	vg_suspects_clear(&p->suspects);
	close(p->search.pagemap);
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

/* An area may lie on both sides of an address whose lower half is zero. */
static const struct {
	int64_t offset; /* from there */
	bool found;
} around_border[] = {
	{-0x1001, false}, {-0x1000, true}, {-1, true},	    {0, true},
	{0x2fff, true},	  {0x3000, true},  {0x3001, false}, {-0x100001000, false},
};

START_TEST(a_range_across_a_border_of_4_gib_is_searched_for)
{
	uint64_t border = (half * 2 & ~UINT64_C(0xffffffff)) + (UINT64_C(1) << 32);
	struct vg_pointer_range range = {border - 0x1000, border + 0x3000};
	struct place p;

	set_up(&p);
	put(&p, 64, border + (uint64_t)around_border[_i].offset);
	read_maps(&p);
	p.search.ranges = &range;
	vg_pointer_search(&p.search);
	ck_assert_uint_eq(p.search.found, around_border[_i].found ? (uintptr_t)p.page + 64 : 0);
	tear_down(&p);
}
END_TEST

/* Pieces that are read together are looked at in turn. */
START_TEST(the_range_that_is_named_is_that_of_the_first_word)
{
	struct vg_pointer_range ranges[2];
	uint64_t at = _i ? PAGE + 64 : 3 * PAGE - 8; /* in one run, or cut by a page without any */
	struct place p;

	set_up(&p);
	if (!_i)
		ck_assert_int_eq(madvise(p.page + PAGE, PAGE, MADV_DONTNEED), 0);
	put(&p, 64, half * 2 + 2 * AREA_BYTES);
	put(&p, at, half * 2);
	read_maps(&p);
	ranges[0] = (struct vg_pointer_range){half * 2, half * 2 + AREA_BYTES};
	ranges[1] = (struct vg_pointer_range){half * 2 + 2 * AREA_BYTES, half * 2 + 3 * AREA_BYTES};
	p.search.ranges = ranges;
	p.search.range_count = 2;
	vg_pointer_search(&p.search);
	ck_assert_uint_eq(p.search.found, (uintptr_t)p.page + 64);
	ck_assert_uint_eq(p.search.found_range, 1);
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
	p.page -= PAGE;
	tear_down(&p);
}
END_TEST

/* Which part of a stack is dead, only the stop knows: its page is looked at again there. */
START_TEST(a_survey_suspects_a_stack_that_holds_a_pointer)
{
	uint64_t pointer;
	struct place p;

	set_up(&p);
	put(&p, PAGE + 64, half * 2);
	ck_assert_int_eq(mprotect(p.page, PAGE, PROT_NONE), 0);
	p.page += PAGE;
	ck_assert_uint_eq(survey(&p), 0);
	ck_assert_uint_eq(p.suspects.count, 1);
	ck_assert_uint_eq(p.suspects.runs[0].start, (uintptr_t)p.page);
	ck_assert_uint_eq(p.suspects.runs[0].end, (uintptr_t)p.page + PAGE);
	pointer = (uintptr_t)p.page;
	p.search.stack_pointers = &pointer;
	p.search.stack_pointer_count = 1;
	ck_assert_uint_eq(search(&p), (uintptr_t)p.page + 64);
	pointer = (uintptr_t)p.page + 64 + 136;
	ck_assert_uint_eq(search(&p), 0);
	p.page -= PAGE;
	tear_down(&p);
}
END_TEST

/* What a survey saw and what was written since: nothing else is read, and nothing is missed. */
static const struct {
	size_t before, after; /* offsets of a pointer, 0 = none */
	uint64_t found;
} surveyed[] = {
	{0, 0, 0},
	{64, 0, 64},
	{0, 64, 64},
	{0, PAGE - 4, PAGE - 4}, /* which begins on a page that was written, and ends on another */
	{2 * PAGE + 64, 0, 2 * PAGE + 64},
	{0, 2 * PAGE + 64, 2 * PAGE + 64},
};

#define SURVEYED (int)(sizeof(surveyed) / sizeof(surveyed[0]))

static void take_written(void *written, uint64_t start, uint64_t end)
{
	vg_suspects_add(written, start, end);
}

/* The kernel is asked by the search, or was by somebody else. */
static void search_written(struct place *p, bool is_listed, uint64_t found)
{
	struct vg_suspects written = {0};

	p->search.only_written = true;
	if (is_listed) {
		ck_assert(vg_written_list(p->search.pagemap, (uintptr_t)p->page,
					  (uintptr_t)p->page + 3 * PAGE, take_written, &written));
		p->search.written = &written;
	}
	ck_assert_uint_eq(search(p), found ? (uintptr_t)p->page + found : 0);
	ck_assert_uint_le(p->search.bytes, 2 * PAGE + 8);
	vg_suspects_clear(&written);
}

START_TEST(after_a_survey_only_what_was_written_is_searched)
{
	int protector = vg_track_writes(), i = _i % SURVEYED;
	struct place p;

	set_up(&p);
	if (surveyed[i].before)
		put(&p, surveyed[i].before, half * 2);
	read_maps(&p);
	vg_written_protect(protector, getpid(), &p.maps);
	survey(&p);
	ck_assert_uint_eq(p.suspects.count, surveyed[i].before != 0);
	if (surveyed[i].after)
		put(&p, surveyed[i].after, half * 2);
	search_written(&p, _i >= SURVEYED, surveyed[i].found);
	close(protector);
	tear_down(&p);
}
END_TEST

/*
 * The page below a stack, behind the one before it, need not have been out of reach always. It is
 * on no list of what somebody else has searched.
 */
START_TEST(what_was_written_in_a_guard_is_searched)
{
	const struct vg_suspects none = {0};
	int protector = vg_track_writes();
	uint64_t pointer;
	struct place p;

	set_up(&p);
	ck_assert_int_eq(mprotect(p.page, PAGE, PROT_NONE), 0);
	pointer = (uintptr_t)p.page + PAGE + 512;
	p.page += PAGE;
	p.also = p.page + PAGE;
	read_maps(&p);
	vg_written_protect(protector, getpid(), &p.maps);
	ck_assert_uint_eq(survey(&p), 0);
	put(&p, PAGE + 64, half * 2);
	ck_assert_int_eq(mprotect(p.also, PAGE, PROT_NONE), 0);
	p.search.only_written = true;
	p.search.written = _i ? &none : NULL;
	p.search.stack_pointers = &pointer;
	p.search.stack_pointer_count = 1;
	ck_assert_uint_eq(search(&p), (uintptr_t)p.also + 64);
	close(protector);
	p.page -= PAGE;
	tear_down(&p);
}
END_TEST

START_TEST(a_pointer_that_is_gone_after_the_survey_is_not_found)
{
	int protector = vg_track_writes();
	struct place p;

	set_up(&p);
	put(&p, 64, half * 2);
	read_maps(&p);
	vg_written_protect(protector, getpid(), &p.maps);
	ck_assert_uint_eq(survey(&p), (uintptr_t)p.page + 64);
	put(&p, 64, 0);
	p.search.only_written = true;
	ck_assert_uint_eq(search(&p), 0);
	close(protector);
	tear_down(&p);
}
END_TEST

/* Somebody else may write to it, of which this process's pages tell nothing. */
START_TEST(shared_memory_is_searched_as_a_whole)
{
	int protector = vg_track_writes(), fd = memfd_create("shared", MFD_CLOEXEC);
	uint64_t pointer = half * 2;
	struct place p;

	set_up(&p);
	munmap(p.page, 3 * PAGE);
	ck_assert_int_eq(ftruncate(fd, 3 * PAGE), 0);
	p.page = mmap(p.page, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	ck_assert_ptr_ne(p.page, MAP_FAILED);
	memset(p.page, 0x5a, 3 * PAGE);
	read_maps(&p);
	vg_written_protect(protector, getpid(), &p.maps);
	ck_assert_uint_eq(survey(&p), 0);
	ck_assert_int_eq(pwrite(fd, &pointer, 8, PAGE + 64), 8);
	p.search.only_written = true;
	ck_assert_uint_eq(search(&p), (uintptr_t)p.page + PAGE + 64);
	close(protector);
	close(fd);
	tear_down(&p);
}
END_TEST

START_TEST(a_search_that_would_take_too_long_says_so)
{
	struct place p;

	set_up(&p);
	p.search.most = 2 * PAGE;
	ck_assert_uint_eq(search(&p), 0);
	ck_assert(p.search.unfinished);
	p.search.most = 1000 * PAGE;
	ck_assert_uint_eq(search(&p), 0);
	ck_assert(!p.search.unfinished);
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
	tcase_add_loop_test(tcase, a_range_across_a_border_of_4_gib_is_searched_for, 0,
			    sizeof(around_border) / sizeof(around_border[0]));
	tcase_add_loop_test(tcase, the_range_that_is_named_is_that_of_the_first_word, 0, 2);
	tcase_add_test(tcase, memory_that_is_read_only_by_now_is_searched);
	tcase_add_test(tcase, a_pointer_that_glibc_mangled_is_found);
	tcase_add_test(tcase, what_is_dead_on_a_stack_does_not_count);
	tcase_add_test(tcase, a_survey_suspects_a_stack_that_holds_a_pointer);
	tcase_add_loop_test(tcase, after_a_survey_only_what_was_written_is_searched, 0,
			    2 * SURVEYED);
	tcase_add_loop_test(tcase, what_was_written_in_a_guard_is_searched, 0, 2);
	tcase_add_test(tcase, a_pointer_that_is_gone_after_the_survey_is_not_found);
	tcase_add_test(tcase, shared_memory_is_searched_as_a_whole);
	tcase_add_test(tcase, a_search_that_would_take_too_long_says_so);
	tcase_add_test(tcase, a_register_is_looked_at_like_memory);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
