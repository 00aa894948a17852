/* SPDX-License-Identifier: MIT */
/* The target itself: the program that these tests patch is Debian's, as Debian ships it. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <vgraft/error.h>

#include "common/elf_file.h"
#include "tests/lib/process.h"
#include "tests/lib/suite.h"

/* Of qemu-system-x86 1:7.2+dfsg-7+deb12u15 in Debian's archive. */
static const char u15_build_id[] = "5c4d30a03a15a9107dec8fc5908c9dcf1927549c";

static const char *qemu_path(void)
{
	static char path[4096];
	const char *tree = getenv("VGRAFT_QEMU_TREE");

	snprintf(path, sizeof(path), "%s/usr/bin/qemu-system-x86_64",
		 tree ? tree : "build/qemu/u15");
	return path;
}

START_TEST(the_target_is_the_unmodified_binary_of_the_package)
{
	__attribute__((cleanup(vg_elf_cleanup))) struct vg_elf *elf = NULL;
	char hex[2 * VGP_MAX_BUILD_ID + 1];

	ck_assert_ptr_null(vg_elf_open(qemu_path(), &elf));
	vg_build_id_text(elf->build_id, elf->build_id_bytes, hex);
	ck_assert_str_eq(hex, u15_build_id);
}
END_TEST

START_TEST(the_unpacked_program_finds_its_libraries_and_modules)
{
	_cleanup_process_ struct vg_process *process = NULL;
	const char *const argv[] = {qemu_path(), "-accel", "tcg",  "-M",
				    "none",	 "-cpu",   "help", NULL};
	int code;

	ck_assert_ptr_null(vg_process_run(argv, &code, &process));
	ck_assert_msg(code == 0, "%s", process->messages.text);
	ck_assert_ptr_nonnull(strstr(process->output.text, "qemu64"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu_package");
	TCase *tests = tcase_create("package");

	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, the_target_is_the_unmodified_binary_of_the_package);
	tcase_add_test(tests, the_unpacked_program_finds_its_libraries_and_modules);
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
