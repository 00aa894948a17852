/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/process_maps.h"
#include "common/process_maps_query.h"
#include "tests/lib/suite.h"

static const char text[] =
	"00400000-00401000 r--p 00000000 fe:01 123                    /usr/bin/a b (deleted)\n"
	"00401000-00402000 r-xp 00001000 fe:01 123                    /usr/bin/a b\n"
	"7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n"
	"7f0000001000-7f0000002000 rw-s 00000000 00:05 9              /dev/zero\n"
	"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0              [stack]\n"
	"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0      [vsyscall]\n";

START_TEST(each_field_of_a_mapping_is_read)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};

	ck_assert_ptr_null(vg_maps_parse(text, &maps));
	ck_assert_uint_eq(maps.count, 6);
	ck_assert_str_eq(maps.maps[0].path, "/usr/bin/a b");
	ck_assert(maps.maps[0].deleted);
	ck_assert(!maps.maps[1].deleted);
	ck_assert_uint_eq(maps.maps[1].offset, 0x1000);
	ck_assert_uint_eq(maps.maps[1].inode, 123);
	ck_assert(maps.maps[1].executable && !maps.maps[1].writable);
	ck_assert(vg_map_is_anonymous(&maps.maps[2]));
	ck_assert(maps.maps[3].shared && !vg_map_is_anonymous(&maps.maps[3]));
	ck_assert(!vg_map_is_anonymous(&maps.maps[4]));
}
END_TEST

START_TEST(an_address_finds_its_mapping_and_a_hole_finds_none)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};

	ck_assert_ptr_null(vg_maps_parse(text, &maps));
	ck_assert_ptr_null(vg_maps_find(&maps, 0x3fffff));
	ck_assert_ptr_eq(vg_maps_find(&maps, 0x400000), &maps.maps[0]);
	ck_assert_ptr_eq(vg_maps_find(&maps, 0x401fff), &maps.maps[1]);
	ck_assert_ptr_null(vg_maps_find(&maps, 0x402000));
	ck_assert_ptr_eq(vg_maps_find(&maps, 0xffffffffff600000), &maps.maps[5]);
}
END_TEST

START_TEST(a_line_that_is_no_mapping_is_an_error)
{
	static const char *const lines[] = {
		"hello\n",
		"00401000-00400000 r--p 00000000 fe:01 123 /backwards\n",
		"00400000-00401000 r-\n",
		"00400000-00401000 r--p\n",
		"00400000-00401000 r--p 00000000 fe:01 \n",
		"00400000-00401000 r--p 00000000 fe:01\n",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct vg_maps maps;
		struct vg_error *error = vg_maps_parse(lines[i], &maps);

		ck_assert_int_eq(vg_error_code(error), VG_FAILED);
		ck_assert_uint_eq(maps.count, 0);
		vg_error_free(error);
	}
}
END_TEST

START_TEST(the_maps_of_a_live_process_hold_its_own_code)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};

	ck_assert_ptr_null(vg_maps_read(getpid(), &maps));
	const struct vg_map *map = vg_maps_find(&maps, (uint64_t)(uintptr_t)vg_maps_read);
	ck_assert_ptr_nonnull(map);
	ck_assert(map->executable && vg_map_is_file(map));
}
END_TEST

START_TEST(maps_that_are_kept_open_tell_what_has_changed)
{
	struct vg_maps_file file = VG_MAPS_FILE_NONE;
	uint64_t address;
	void *pages;

	ck_assert_ptr_null(vg_maps_file_open(getpid(), &file));
	for (int i = 0; i < 100; i++) {
		pages = mmap(NULL, 8192, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		address = (uint64_t)(uintptr_t)pages;
		ck_assert_ptr_null(vg_maps_file_read(&file));
		ck_assert_ptr_nonnull(vg_maps_find(&file.maps, address));
		ck_assert(!vg_maps_find(&file.maps, address)->writable);
		mprotect(pages, 8192, PROT_READ | PROT_WRITE);
		ck_assert_ptr_null(vg_maps_file_read(&file));
		ck_assert(vg_maps_find(&file.maps, address)->writable);
		munmap(pages, 8192);
		ck_assert_ptr_null(vg_maps_file_read(&file));
		ck_assert_ptr_null(vg_maps_find(&file.maps, address));
	}
	vg_maps_file_close(&file);
}
END_TEST

/* What each of these does to the two pages at `pages`. */
static void *make(void *pages)
{
	return mmap(pages, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void *share(void *pages)
{
	return mmap(pages, 8192, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void *unlock(void *pages)
{
	return mprotect(pages, 8192, PROT_READ | PROT_WRITE) ? MAP_FAILED : pages;
}

static void *unlock_half(void *pages)
{
	return mprotect(pages, 4096, PROT_READ | PROT_WRITE) ? MAP_FAILED : pages;
}

static void *unmap(void *pages)
{
	return munmap(pages, 8192) ? MAP_FAILED : pages;
}

static void *(*const changes[])(void *) = {share, unlock, unlock_half, unmap};

START_TEST(an_unchanged_map_is_told_from_each_change)
{
	struct vg_maps_file file = VG_MAPS_FILE_NONE;
	void *pages = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(pages, MAP_FAILED);
	ck_assert_ptr_null(vg_maps_file_open(getpid(), &file));
	/* What reading takes may be mapped by it. */
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_null(vg_maps_file_read(&file));
	ck_assert(vg_maps_file_is_unchanged(&file));
	ck_assert_ptr_ne(changes[_i](pages), MAP_FAILED);
	ck_assert(!vg_maps_file_is_unchanged(&file));
	ck_assert_ptr_ne(make(pages), MAP_FAILED);
	ck_assert(vg_maps_file_is_unchanged(&file));
	vg_maps_file_close(&file);
}
END_TEST

START_TEST(a_mapping_behind_the_known_ones_is_a_change)
{
	struct vg_maps_file file = VG_MAPS_FILE_NONE;
	struct vg_maps fewer;
	bool same;

	ck_assert_ptr_null(vg_maps_file_open(getpid(), &file));
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_null(vg_maps_file_read(&file));
	fewer = file.maps;
	fewer.count /= 2;
	if (vg_maps_query(file.fd, &file.maps, &same)) {
		ck_assert(same);
		ck_assert(vg_maps_query(file.fd, &fewer, &same));
		ck_assert(!same);
	}
	vg_maps_file_close(&file);
}
END_TEST

/* Kernels before 6.11 tell no numbers, as this file does not. */
START_TEST(where_no_numbers_are_told_the_text_decides)
{
	struct vg_maps_file file = {.fd = memfd_create("maps", MFD_CLOEXEC)};
	bool same;

	ck_assert_int_eq(write(file.fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_ptr_null(vg_maps_file_read(&file));
	ck_assert_uint_eq(file.maps.count, 6);
	ck_assert(!vg_maps_query(file.fd, &file.maps, &same));
	ck_assert(vg_maps_file_is_unchanged(&file));
	ck_assert_int_eq(pwrite(file.fd, "r", 1, (off_t)(strstr(text, "--xp") - text)), 1);
	ck_assert(!vg_maps_file_is_unchanged(&file));
	ck_assert_ptr_null(vg_maps_file_read(&file));
	ck_assert(vg_maps_file_is_unchanged(&file));
	ck_assert(file.maps.maps[5].readable);
	vg_maps_file_close(&file);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process_maps");
	TCase *tcase = tcase_create("process_maps");

	tcase_add_test(tcase, each_field_of_a_mapping_is_read);
	tcase_add_test(tcase, an_address_finds_its_mapping_and_a_hole_finds_none);
	tcase_add_test(tcase, a_line_that_is_no_mapping_is_an_error);
	tcase_add_test(tcase, the_maps_of_a_live_process_hold_its_own_code);
	tcase_add_test(tcase, maps_that_are_kept_open_tell_what_has_changed);
	tcase_add_loop_test(tcase, an_unchanged_map_is_told_from_each_change, 0,
			    sizeof(changes) / sizeof(changes[0]));
	tcase_add_test(tcase, a_mapping_behind_the_known_ones_is_a_change);
	tcase_add_test(tcase, where_no_numbers_are_told_the_text_decides);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
