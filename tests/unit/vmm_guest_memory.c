/* SPDX-License-Identifier: MIT */
/* The border: which guest addresses have a place in the host, and which have none. */
#include "tests/lib/suite.h"
#include "vmm/guest_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB UINT64_C(1048576)
#define GIB (UINT64_C(1024) * MIB)

static struct guest_memory memory;

static void create(uint64_t size)
{
	ck_assert_ptr_null(guest_memory_create(&memory, size, NULL));
}

START_TEST(every_byte_of_ram_has_a_place)
{
	create(16 * MIB);
	ck_assert_ptr_eq(guest_memory_at(&memory, 0, 16 * MIB), memory.host);
	ck_assert_ptr_eq(guest_memory_at(&memory, 16 * MIB - 1, 1), memory.host + 16 * MIB - 1);
	guest_memory_destroy(&memory);
}
END_TEST

struct range {
	uint64_t address, length;
};

static const struct range outside[] = {
	{16 * MIB, 1},
	{16 * MIB - 1, 2},
	{0, 16 * MIB + 1},
	{0, UINT64_MAX},
	{UINT64_MAX, 1},
	{UINT64_MAX, UINT64_MAX},
	{UINT64_MAX - 15, 16},
	{8 * MIB, UINT64_MAX - 8 * MIB + 1},
	{16 * MIB + 1, 0},
	{GUEST_LOW_RAM_END, 1},
	{GUEST_HIGH_RAM_START, 1},
};

START_TEST(nothing_outside_ram_has_a_place)
{
	create(16 * MIB);
	ck_assert_ptr_null(guest_memory_at(&memory, outside[_i].address, outside[_i].length));
	ck_assert(!guest_memory_write(&memory, outside[_i].address, "", outside[_i].length));
	guest_memory_destroy(&memory);
}
END_TEST

START_TEST(ram_above_3_gib_goes_above_the_hole)
{
	create(4 * GIB);
	ck_assert_uint_eq(guest_memory_low_end(&memory), GUEST_LOW_RAM_END);
	ck_assert_ptr_nonnull(guest_memory_at(&memory, GUEST_LOW_RAM_END - 1, 1));
	ck_assert_ptr_null(guest_memory_at(&memory, GUEST_LOW_RAM_END - 1, 2));
	ck_assert_ptr_null(guest_memory_at(&memory, GUEST_HIGH_RAM_START - 1, 2));
	ck_assert_ptr_eq(guest_memory_at(&memory, GUEST_HIGH_RAM_START, GIB),
			 memory.host + GUEST_LOW_RAM_END);
	ck_assert_ptr_null(guest_memory_at(&memory, GUEST_HIGH_RAM_START, GIB + 1));
	guest_memory_destroy(&memory);
}
END_TEST

START_TEST(silly_sizes_are_refused)
{
	static const uint64_t sizes[] = {0, 1, MIB, 2 * MIB + 1, 3 * MIB - 512};
	struct vmm_error *error = guest_memory_create(&memory, sizes[_i], NULL);

	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_USAGE);
	vmm_error_free(error);
}
END_TEST

START_TEST(memory_that_the_host_cannot_give_is_an_error)
{
	struct vmm_error *error = guest_memory_create(&memory, UINT64_C(1) << 60, NULL);

	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_FAILED);
	ck_assert_ptr_nonnull(strstr(vmm_error_text(error), "the host cannot give"));
	vmm_error_free(error);
	guest_memory_destroy(&memory);
}
END_TEST

START_TEST(a_memory_file_shows_what_the_guest_writes_and_starts_empty)
{
	char path[] = "/tmp/vmm-memory-XXXXXX";
	int fd = mkstemp(path);
	char bytes[8] = "";

	ck_assert_int_eq(write(fd, "leftover", 8), 8);
	ck_assert_ptr_null(guest_memory_create(&memory, 4 * MIB, path));
	ck_assert_int_eq(*(char *)guest_memory_at(&memory, 0, 1), 0);
	ck_assert(guest_memory_write(&memory, 3 * MIB, "guest", 6));
	ck_assert_int_eq(pread(fd, bytes, 6, 3 * MIB), 6);
	ck_assert_str_eq(bytes, "guest");
	guest_memory_destroy(&memory);
	close(fd);
	unlink(path);
}
END_TEST

START_TEST(a_memory_file_of_a_guest_that_never_ran_is_not_left_behind)
{
	char folder[] = "/tmp/vmm-memory-XXXXXX";
	char path[64];
	struct vmm_error *error;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/memory", folder);
	error = guest_memory_create(&memory, UINT64_C(1) << 60, path);
	ck_assert_ptr_nonnull(strstr(vmm_error_text(error), "has no room"));
	ck_assert_int_eq(access(path, F_OK), -1);
	vmm_error_free(error);

	ck_assert_ptr_null(guest_memory_create(&memory, 4 * MIB, path));
	guest_memory_destroy(&memory);
	ck_assert_int_eq(access(path, F_OK), -1);

	ck_assert_ptr_null(guest_memory_create(&memory, 4 * MIB, path));
	guest_memory_keep_file(&memory);
	guest_memory_destroy(&memory);
	ck_assert_int_eq(access(path, F_OK), 0);

	/* What was there before stays, whatever happens. */
	error = guest_memory_create(&memory, UINT64_C(1) << 60, path);
	ck_assert_ptr_nonnull(error);
	vmm_error_free(error);
	ck_assert_ptr_null(guest_memory_create(&memory, 4 * MIB, path));
	guest_memory_destroy(&memory);
	ck_assert_int_eq(unlink(path), 0);
	rmdir(folder);
}
END_TEST

START_TEST(a_memory_file_that_cannot_be_one_is_refused)
{
	static const char *const paths[] = {"/dev/null", "/", "/nonexistent/memory"};
	struct vmm_error *error = guest_memory_create(&memory, 4 * MIB, paths[_i]);

	ck_assert_int_eq(vmm_error_code(error), VMM_EXIT_USAGE);
	vmm_error_free(error);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("vmm guest memory");
	TCase *tcase = tcase_create("the border");

	tcase_add_test(tcase, every_byte_of_ram_has_a_place);
	tcase_add_loop_test(tcase, nothing_outside_ram_has_a_place, 0, COUNT(outside));
	tcase_add_test(tcase, ram_above_3_gib_goes_above_the_hole);
	tcase_add_loop_test(tcase, silly_sizes_are_refused, 0, 5);
	tcase_add_test(tcase, memory_that_the_host_cannot_give_is_an_error);
	tcase_add_test(tcase, a_memory_file_shows_what_the_guest_writes_and_starts_empty);
	tcase_add_test(tcase, a_memory_file_of_a_guest_that_never_ran_is_not_left_behind);
	tcase_add_loop_test(tcase, a_memory_file_that_cannot_be_one_is_refused, 0, 3);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
