/* SPDX-License-Identifier: MIT */
/*
 * Tables of shadow variables that are put into one. The target is this process: the new table is
 * the one that <vgraft/hooks.h> makes here, so that what is carried must be found by its own
 * functions; the old ones are made by hand.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/patch_object.h"
#include "patcher/shadows.h"
#include "tests/lib/suite.h"

#define VGRAFT_SHADOW_COUNT 61
#define VGRAFT_SHADOW_BYTES 48
#include <vgraft/hooks.h>

VGRAFT_SHADOW_VARIABLES;

#define OLD_COUNT 40
#define OLD_BYTES 64

struct old_table {
	uint64_t keys[OLD_COUNT];
	uint32_t sizes[OLD_COUNT];
	char values[OLD_COUNT][OLD_BYTES] __attribute__((aligned(16)));
};
static struct old_table old[2];
static struct vg_area old_areas[2];
static struct vg_installed installed[2];
static struct vg_areas areas = {.patches = installed, .count = 2};
static struct vg_patch *patch;
static struct vg_memory memory;
static struct vg_shadows shadows;
static uint64_t segments[2];

static void must(struct vg_error *error)
{
	ck_assert_msg(!error, "%s", vg_error_text(error));
}

static void fails(struct vg_error *error, const char *words)
{
	ck_assert_ptr_nonnull(error);
	ck_assert_int_eq(vg_error_code(error), VG_REFUSED);
	ck_assert_msg(strstr(vg_error_text(error), words), "%s", vg_error_text(error));
	vg_error_free(error);
}

/* The DATA segment is the table; `variable`: what it is called, or NULL. */
static struct vg_patch *make_patch(const char *name, uint16_t flags,
				   const struct vgp_shadow_table *table, const char *variable)
{
	struct vg_patch_writer *writer = vg_patch_writer_new();
	struct vgp_info info = {.name = vg_patch_writer_string(writer, name)};
	struct vgp_module module = {.build_id_bytes = 1};
	struct vgp_segment made[] = {{.kind = VGP_TEXT, .align = 16, .memory_bytes = 16},
				     {.kind = VGP_DATA, .align = 16, .memory_bytes = 8192}};
	struct vgp_function function = {.kind = VGP_NEW, .new_bytes = 16};
	struct vgp_variable named = {.segment = 1, .bytes = 16};
	struct vg_patch *parsed;
	uint8_t *bytes;
	size_t count;

	vg_patch_writer_add(writer, VGP_INFO, &info, 1);
	vg_patch_writer_add(writer, VGP_MODULES, &module, 1);
	vg_patch_writer_add(writer, VGP_SEGMENTS, made, 2);
	vg_patch_writer_add(writer, VGP_FUNCTIONS, &function, 1);
	if (variable) {
		named.name = vg_patch_writer_string(writer, variable);
		vg_patch_writer_add(writer, VGP_VARIABLES, &named, 1);
	}
	if (table)
		vg_patch_writer_add(writer, VGP_SHADOWS, table, 1);
	must(vg_patch_writer_finish(writer, flags, &bytes, &count));
	must(vg_patch_parse(bytes, count, name, &parsed));
	free(bytes);
	vg_patch_writer_free(writer);
	return parsed;
}

static struct vgp_shadow_table record(uint32_t count, uint32_t bytes)
{
	return (struct vgp_shadow_table){
		.segment = 1, .count = count, .bytes = bytes, .layout = VGP_SHADOW_LAYOUT};
}

static void make_new(uint16_t flags, bool with_table)
{
	struct vgp_shadow_table table = record(VGRAFT_SHADOW_COUNT, VGRAFT_SHADOW_BYTES);

	vg_patch_free(patch);
	patch = make_patch("new", flags, with_table ? &table : NULL, NULL);
}

static void set_up(void)
{
	static const char *const names[] = {"one", "two"};
	struct vgp_shadow_table table = record(OLD_COUNT, OLD_BYTES);

	must(vg_memory_open(getpid(), &memory));
	segments[1] = (uint64_t)(uintptr_t)&vgraft_shadows;
	make_new(VGP_REPLACE, true);
	for (size_t i = 0; i < 2; i++) {
		struct vga_header *header = &old_areas[i].header;

		strcpy(header->name, names[i]);
		header->area_address = (uint64_t)(uintptr_t)&old[i] - 4096;
		header->data_offset = 4096;
		installed[i] = (struct vg_installed){&old_areas[i], 1, VGA_APPLIED, true,
						     make_patch(names[i], 0, &table, NULL)};
	}
}

static void tear_down(void)
{
	vg_shadows_clear(&shadows);
	vg_memory_close(&memory);
	vg_patch_free(patch);
	for (size_t i = 0; i < 2; i++)
		vg_patch_free(installed[i].object);
}

static struct vg_error *look(void)
{
	vg_shadows_clear(&shadows);
	return vg_shadows_look(&memory, &areas, patch, segments, &shadows);
}

static struct vg_error *carry(void)
{
	must(look());
	return vg_shadows_carry(&shadows);
}

static void *object(size_t i)
{
	return (void *)(0x7f1200000000 + 16 * i);
}

/* At a place of the old table where no search would find it: who carries it must look at all. */
static void put(struct old_table *table, size_t at, void *owner, unsigned id, uint32_t size)
{
	table->keys[at] = (uint64_t)(uintptr_t)owner | (uint64_t)id << 48;
	table->sizes[at] = size;
	memset(table->values[at], (int)(at + id), OLD_BYTES);
}

static void expect_value(void *owner, unsigned id, size_t from, uint32_t size)
{
	const char *value = vgraft_shadow_get(owner, id);

	ck_assert_ptr_nonnull(value);
	for (size_t i = 0; i < VGRAFT_SHADOW_BYTES; i++)
		ck_assert_int_eq(value[i], i < size ? (char)(from + id) : 0);
}

START_TEST(what_two_tables_hold_is_found_in_one_with_no_more_than_its_size)
{
	size_t count = (size_t)_i, position = 0, seen = 0;

	for (size_t i = 0; i < count; i++) {
		put(&old[0], i, object(i), 1, (uint32_t)i);
		put(&old[1], OLD_COUNT - 1 - i, object(i), 2, 48);
	}
	must(carry());
	ck_assert_uint_eq(shadows.live, 2 * count);
	for (size_t i = 0; i < count; i++) {
		expect_value(object(i), 1, i, (uint32_t)i);
		expect_value(object(i), 2, OLD_COUNT - 1 - i, 48);
	}
	ck_assert_ptr_null(vgraft_shadow_get(object(count), 1));
	while (vgraft_shadow_next(2, &position, NULL))
		seen++;
	ck_assert_uint_eq(seen, count);
	ck_assert_ptr_nonnull(vgraft_shadow_attach(object(count), 3, 48));
}
END_TEST

START_TEST(carried_again_it_is_as_the_old_tables_are_by_then)
{
	put(&old[0], 1, object(1), 1, 8);
	put(&old[0], 2, object(2), 1, 8);
	must(carry());
	old[0].keys[1] = VGRAFT_SHADOW_FREED;
	old[0].sizes[2] = 3; /* as another variable in the same place would have */
	put(&old[0], 5, object(5), 1, 8);
	must(vg_shadows_carry(&shadows));
	ck_assert_ptr_null(vgraft_shadow_get(object(1), 1));
	expect_value(object(2), 1, 2, 3);
	expect_value(object(5), 1, 5, 8);
}
END_TEST

START_TEST(what_would_be_lost_is_refused_and_nothing_is_written)
{
	for (size_t i = 0; i < OLD_COUNT; i++) {
		put(&old[0], i, object(i), 1, 8);
		put(&old[1], i, object(i), 2, 8);
	}
	fails(look(), "have 80 shadow variables; patch new has room for 61");
	memset(old[1].keys, 0, sizeof(old[1].keys));
	put(&old[1], 3, object(7), 1, 8);
	fails(look(), "patches one and two both have the shadow variable 1");
	old[1].keys[3] = VGRAFT_SHADOW_FREED;
	put(&old[0], 0, object(0), 1, 49);
	fails(look(), "has 49 bytes in patch one; patch new, which replaces that, has room for 48");
	put(&old[0], 0, object(0), 1, OLD_BYTES + 1);
	fails(look(), "are damaged");
	ck_assert_ptr_null(vgraft_shadow_get(object(1), 1));
}
END_TEST

/* What changed while the target ran on is seen in the stop. */
START_TEST(a_variable_that_comes_after_the_look_is_refused_in_the_stop)
{
	make_new(VGP_REPLACE, false);
	must(look());
	must(vg_shadows_carry(&shadows));
	put(&old[1], 0, object(0), 1, 8);
	fails(vg_shadows_carry(&shadows), "patch two has shadow variables in use, and patch new");
}
END_TEST

START_TEST(a_patch_that_drops_or_does_not_replace_gets_none)
{
	put(&old[0], 0, object(0), 1, 64);
	put(&old[1], 0, object(0), 1, 64);
	make_new(VGP_REPLACE | VGP_DROPS_SHADOWS, _i);
	must(carry());
	ck_assert_uint_eq(shadows.live, 2);
	make_new(0, _i);
	must(carry());
	ck_assert_uint_eq(shadows.live, 0);
	ck_assert_ptr_null(vgraft_shadow_get(object(0), 1));
}
END_TEST

START_TEST(a_patch_whose_object_does_not_tell_of_its_table_is_not_replaced_unawares)
{
	vg_patch_free(installed[1].object);
	installed[1].object = make_patch("two", 0, NULL, "vgraft_shadows");
	fails(look(), "patch two, which would be replaced, was built by a vgraft");
	make_new(VGP_REPLACE | VGP_DROPS_SHADOWS, true);
	must(carry());
	installed[1].state = VGA_RETIRED;
	make_new(VGP_REPLACE, true);
	must(carry());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_shadows");
	TCase *tcase = tcase_create("shadows");

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, what_two_tables_hold_is_found_in_one_with_no_more_than_its_size,
			    0, 30);
	tcase_add_test(tcase, carried_again_it_is_as_the_old_tables_are_by_then);
	tcase_add_test(tcase, what_would_be_lost_is_refused_and_nothing_is_written);
	tcase_add_test(tcase, a_variable_that_comes_after_the_look_is_refused_in_the_stop);
	tcase_add_loop_test(tcase, a_patch_that_drops_or_does_not_replace_gets_none, 0, 2);
	tcase_add_test(tcase,
		       a_patch_whose_object_does_not_tell_of_its_table_is_not_replaced_unawares);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
