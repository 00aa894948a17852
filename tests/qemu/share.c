/* SPDX-License-Identifier: MIT */
/*
 * Debian's stripped QEMU and some of the objects that its source compiles to: those of the fixes,
 * and small ones that look alike (trace events, devices that do little more than register). All
 * that these objects have is found, each by its object alone: nothing else is compiled for a fix.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vgraft/error.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text_file.h"
#include "differ/share.h"
#include "tests/lib/guest.h"
#include "tests/lib/suite.h"

#define LIST  "tests/qemu/objects"
#define FLOOR 900 /* functions of these objects */

/* What the fixes between deb12u15 and deb12u18 change, pieces that were moved away included. */
static const char *const functions_of_fixes[] = {
	"uhci_handle_td",
	"uhci_handle_td.cold",
	"qemu_receive_packet",
	"AUD_get_buffer_size_out",
	"set_drive_helper",
	"ram_load_cleanup",
	"qcrypto_tls_creds_check_cert",
	"ohci_service_ed_list",
	"qio_channel_tls_close",
	"qio_channel_tls_finalize",
	"do_smm_enter",
	"helper_rsm",
	"e1000e_receive_iov",
	"qio_channel_websock_encode",
	"qio_net_listener_channel_func",
	"vnc_zlib_clear",
	"vnc_disconnect_finish",
	"virtio_net_set_features",
};

static struct vg_share share;
static char *paths[128];
static size_t path_count;
static char *target;

static void must(struct vg_error *error)
{
	ck_assert_msg(!error, "%s", error ? vg_error_text(error) : "");
}

/* The first line that `make` had tests/lib/qemu-ninja print: the folder of the package. */
static void read_package(char package[PATH_MAX])
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX];
	size_t size;

	snprintf(path, sizeof(path), "%s/qemu/objects", vg_build_folder());
	must(vg_text_file_read(path, &text, &size));
	snprintf(package, PATH_MAX, "%.*s", (int)strcspn(text, "\n"), text);
}

static void enter(void)
{
	_cleanup_free_ char *list = NULL;
	char package[PATH_MAX], *rest;
	size_t size;

	read_package(package);
	ck_assert_int_gt(
		asprintf(&target, "%s/target/qemu-system-x86/usr/bin/qemu-system-x86_64", package),
		0);
	must(vg_text_file_read(LIST, &list, &size));
	rest = list;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line)
			ck_assert_int_gt(asprintf(&paths[path_count++], "%s/source/b/qemu/%s",
						  package, line),
					 0);
	must(vg_share_measure(target, NULL, paths, path_count, &share));
}

static void leave(void)
{
	vg_share_clear(&share);
	free(target);
	for (size_t i = 0; i < path_count; i++)
		free(paths[i]);
}

/* By the unwind information of the objects: each record is one of the target. */
static size_t count_functions(void)
{
	struct vg_arena arena = {0};
	size_t count = 0;

	for (size_t i = 0; i < path_count; i++) {
		struct vg_object *object;

		must(vg_object_read(&arena, paths[i], paths[i], &object));
		must(vg_object_read_frames(object));
		ck_assert_msg(object->frames.count > 0, "%s has no functions", paths[i]);
		count += object->frames.count;
		vg_object_close(object);
	}
	vg_arena_clear(&arena);
	return count;
}

START_TEST(every_function_of_the_objects_is_found_by_its_object_alone)
{
	size_t functions = count_functions();

	ck_assert_uint_gt(functions, FLOOR);
	ck_assert_uint_eq(share.objects, path_count);
	ck_assert_uint_eq(share.in[VG_SHARE_AMBIGUOUS].functions, 0);
	ck_assert_uint_eq(share.in[VG_SHARE_CONTESTED].functions, 0);
	ck_assert_uint_eq(share.in[VG_SHARE_UNIQUE].functions, functions);
	ck_assert_uint_eq(share.alone.functions, functions);
}
END_TEST

static const struct vg_share_function *function_named(const char *name)
{
	for (size_t i = 0; i < share.all.functions; i++)
		if (share.functions[i].name && !strcmp(share.functions[i].name, name))
			return &share.functions[i];
	return NULL;
}

START_TEST(every_function_of_the_fixes_is_found)
{
	for (size_t i = 0; i < sizeof(functions_of_fixes) / sizeof(*functions_of_fixes); i++) {
		const struct vg_share_function *function = function_named(functions_of_fixes[i]);

		ck_assert_msg(function && function->state == VG_SHARE_UNIQUE, "%s was not found",
			      functions_of_fixes[i]);
	}
}
END_TEST

/* The microvm has no UHCI controller, but functions of a few bytes that could be of one. */
START_TEST(an_object_that_a_program_does_not_hold_is_not_found_in_it)
{
	struct vg_share other;
	_cleanup_free_ char *microvm = NULL;

	ck_assert_int_gt(asprintf(&microvm, "%s-microvm", target), 0);
	must(vg_share_measure(microvm, NULL, paths, 1, &other));
	ck_assert_ptr_nonnull(strstr(paths[0], "hcd-uhci"));
	ck_assert_uint_eq(other.objects, 1);
	ck_assert_uint_eq(other.in[VG_SHARE_UNIQUE].functions, 0);
	vg_share_clear(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu_share");
	TCase *tests = tcase_create("share");

	tcase_set_timeout(tests, 300);
	tcase_add_checked_fixture(tests, enter, leave);
	tcase_add_test(tests, every_function_of_the_objects_is_found_by_its_object_alone);
	tcase_add_test(tests, every_function_of_the_fixes_is_found);
	tcase_add_test(tests, an_object_that_a_program_does_not_hold_is_not_found_in_it);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
