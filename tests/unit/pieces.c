/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "patcher/pieces.h"
#include "tests/lib/suite.h"

#define PAGE  ((size_t)4096)
#define PAGES 8

static uint8_t buffer[PAGES * 4096 + 4 * PAGES];

struct seen {
	uint64_t start;
	size_t got;
	uint8_t first, last; /* bytes */
};

struct place {
	struct vg_memory memory;
	uint8_t *pages; /* each is full of its own number, from 1 on; what follows is not mapped */
	struct vg_pieces pieces;
	struct seen seen[PAGES];
	size_t count;
};

static void set_up(struct place *p)
{
	*p = (struct place){.count = 0};
	p->pages = mmap(NULL, (PAGES + 1) * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(p->pages, MAP_FAILED);
	munmap(p->pages + PAGES * PAGE, PAGE);
	for (size_t i = 0; i < PAGES; i++)
		memset(p->pages + i * PAGE, (int)i + 1, PAGE);
	ck_assert_ptr_null(vg_memory_open(getpid(), &p->memory));
	for (size_t i = 0; i < PAGES; i++) {
		const struct vg_piece piece = {
			.start = (uintptr_t)p->pages + i * PAGE, .bytes = PAGE, .beyond = 4};

		ck_assert(vg_pieces_add(&p->pieces, &piece, sizeof(buffer)));
	}
}

static void look(void *context, const struct vg_piece *piece)
{
	struct place *p = context;

	ck_assert_uint_lt(p->count, PAGES);
	p->seen[p->count++] = (struct seen){
		.start = piece->start,
		.got = piece->got,
		.first = piece->got ? piece->content[0] : 0,
		.last = piece->got ? piece->content[piece->got - 1] : 0,
	};
}

static void read_all(struct place *p)
{
	vg_pieces_read(&p->pieces, &p->memory, buffer, look, p);
	ck_assert_uint_eq(p->pieces.count, 0);
	ck_assert_uint_eq(p->count, PAGES);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_uint_eq(p->seen[i].start, (uintptr_t)p->pages + i * PAGE);
}

static void tear_down(struct place *p)
{
	munmap(p->pages, PAGES * PAGE);
	vg_memory_close(&p->memory);
}

/* Its number, and a bit of the next page. */
static void expect(const struct place *p, size_t i)
{
	bool is_last = i == PAGES - 1;

	ck_assert_uint_eq(p->seen[i].got, is_last ? PAGE : PAGE + 4);
	ck_assert_uint_eq(p->seen[i].first, i + 1);
	ck_assert_uint_eq(p->seen[i].last, is_last ? i + 1 : i + 2);
}

/* Behind the last one nothing is mapped: it is read as far as it goes. */
START_TEST(each_piece_has_its_own_content)
{
	struct place p;

	set_up(&p);
	read_all(&p);
	for (size_t i = 0; i < PAGES; i++)
		expect(&p, i);
	tear_down(&p);
}
END_TEST

START_TEST(a_page_that_the_target_may_not_read_is_read_and_those_behind_it_are)
{
	struct place p;

	set_up(&p);
	ck_assert_int_eq(mprotect(p.pages + (size_t)_i * PAGE, PAGE, PROT_NONE), 0);
	read_all(&p);
	for (size_t i = 0; i < PAGES; i++)
		expect(&p, i);
	tear_down(&p);
}
END_TEST

START_TEST(a_page_that_is_gone_is_missing_alone)
{
	size_t gone = (size_t)_i;
	struct place p;

	set_up(&p);
	ck_assert_int_eq(munmap(p.pages + gone * PAGE, PAGE), 0);
	read_all(&p);
	for (size_t i = 0; i < PAGES; i++) {
		if (i != gone && i + 1 != gone)
			expect(&p, i);
		else
			ck_assert_uint_eq(p.seen[i].got, i == gone ? 0 : PAGE);
	}
	tear_down(&p);
}
END_TEST

START_TEST(there_is_room_for_so_many_bytes_and_pieces)
{
	struct vg_piece piece = {.start = PAGE, .bytes = PAGE - 4, .beyond = 4};
	struct vg_pieces pieces = {.count = 0};

	for (int i = 0; i < 3; i++)
		ck_assert(vg_pieces_add(&pieces, &piece, 3 * PAGE));
	ck_assert(!vg_pieces_add(&pieces, &piece, 3 * PAGE));
	piece.bytes = piece.beyond = 0;
	for (int i = 3; i < VG_PIECES_MAX; i++)
		ck_assert(vg_pieces_add(&pieces, &piece, 3 * PAGE));
	ck_assert(!vg_pieces_add(&pieces, &piece, 3 * PAGE));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pieces");
	TCase *tcase = tcase_create("pieces");

	tcase_add_test(tcase, each_piece_has_its_own_content);
	tcase_add_loop_test(tcase,
			    a_page_that_the_target_may_not_read_is_read_and_those_behind_it_are, 0,
			    PAGES);
	tcase_add_loop_test(tcase, a_page_that_is_gone_is_missing_alone, 0, PAGES);
	tcase_add_test(tcase, there_is_room_for_so_many_bytes_and_pieces);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
