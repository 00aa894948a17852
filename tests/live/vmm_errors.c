/* SPDX-License-Identifier: MIT */
/*
 * What vgraft-vmm says to bad input: exit code 1 or 2, nothing on standard output, exactly one
 * sentence on standard error that names what is wrong.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/lib/guest.h"
#include "tests/lib/suite.h"

/* In the words below: %V the VMM, %K the test guest, %F a folder with the files of make_files(). */
static const struct bad_input {
	const char *command;
	int code;
	const char *says;
} bad_inputs[] = {
	{"%V run --kernel %F/missing", 2, "missing: No such file"},
	{"%V run --kernel %F/folder", 2, "folder is not a file"},
	{"%V run --kernel %F/text", 2, "text is not an ELF kernel"},
	{"%V run --kernel %F/empty", 2, "empty is not an ELF kernel"},
	{"%V run --kernel %F/short", 2, "cut short or damaged"},
	{"%V run --kernel /bin/true", 2, "/bin/true is a program"},
	{"%V run --kernel /bin/busybox", 2, "/bin/busybox is a program"},
	{"%V run --kernel /bin/busybox --boot linux64", 2, "/bin/busybox is a program"},
	{"%V run --kernel %F/object.o", 2, "object.o"},
	{"%V run", 2, "--kernel FILE"},
	{"%V run --kernel %K --disk %F/missing", 2, "missing: No such file"},
	{"%V run --kernel %K --disk %F/folder", 2, "folder"},
	{"%V run --kernel %K --disk %F/empty", 2, "empty"},
	{"%V run --kernel %K --disk /dev/null", 2, "/dev/null"},
	{"%V run --kernel %K --disk %F/disk,readonly=maybe", 2, "readonly"},
	{"%V run --kernel %K --initrd %F/missing", 2, "missing: No such file"},
	{"%V run --kernel %K --memory 16384G", 1, "memory"},
	{"%V run --kernel %K --memory much", 2, "--memory much"},
	{"%V run --kernel %K --memory 0", 2, "memory"},
	{"%V run --kernel %K --memory -1", 2, "--memory -1"},
	{"%V run --kernel %K --memory 64 --memory-file %F/folder", 2, "folder"},
	{"%V run --kernel %K --memory 64 --memory-file %F/missing/file", 2, "missing/file"},
	{"%V run --kernel %K --memory 8192G --memory-file %F/new; code=$?; "
	 "test ! -e %F/new && exit $code",
	 1, "no room"},
	{"%V run --kernel %F/text --memory-file %F/new; code=$?; test ! -e %F/new && exit $code", 2,
	 "text is not an ELF kernel"},
	{"%V run --kernel %K --cpus 0", 2, "--cpus 0"},
	{"%V run --kernel %K --cpus 100000", 2, "--cpus 100000"},
	{"%V run --kernel %K --frobnicate", 2, "--frobnicate"},
	{"%V run --kernel %K --kernel %K", 2, "--kernel is given twice"},
	{"%V run --kernel", 2, "--kernel needs a value"},
	{"%V run --kernel %K leftover", 2, "leftover"},
	{"%V walk", 2, "walk is not a verb"},
};

#define BAD_INPUTS (sizeof(bad_inputs) / sizeof(bad_inputs[0]))

static char folder[] = "/tmp/vgraft-errors.XXXXXX";

static void run_shell(const char *command, int *code, struct vg_process **process)
{
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};

	vg_must(vg_process_run(argv, code, process));
}

static void must_run_shell(const char *format, const char *word)
{
	char command[8192];
	int code;

	snprintf(command, sizeof(command), format, word);
	run_shell(command, &code, NULL);
	ck_assert_msg(code == 0, "%s ended with %d", command, code);
}

static void make_files(void)
{
	char kernel[PATH_MAX], command[2 * PATH_MAX];
	struct stat status;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(kernel, sizeof(kernel), "%s/tests/guest/guest.elf", vg_build_folder());
	ck_assert_int_eq(stat(kernel, &status), 0);
	snprintf(command, sizeof(command), "head -c %ld %s >%%s/short", (long)status.st_size / 8,
		 kernel);
	must_run_shell(command, folder);
	must_run_shell("cd %s && mkdir folder && : >empty && truncate -s 1M disk &&"
		       "echo 'no kernel, only words' >text && echo 'int a = 1;' >object.c &&"
		       "gcc -c -o object.o object.c",
		       folder);
}

static void remove_files(void)
{
	must_run_shell("rm -rf %s", folder);
}

/* Replaces %V, %K and %F. */
static void expand(char *to, size_t size, const char *from)
{
	const char *build = vg_build_folder();
	size_t length = 0;

	for (; *from && length < size; from++) {
		if (*from != '%')
			to[length++] = *from;
		else if (*++from == 'F')
			length += (size_t)snprintf(to + length, size - length, "%s", folder);
		else
			length += (size_t)snprintf(to + length, size - length, "%s/%s", build,
						   *from == 'V' ? "vgraft-vmm"
								: "tests/guest/guest.elf");
	}
	ck_assert_uint_lt(length, size);
	to[length] = '\0';
}

static void check_answer(const char *command, int expected_code, const char *says)
{
	_cleanup_process_ struct vg_process *process = NULL;
	int code;

	run_shell(command, &code, &process);

	const char *text = process->messages.text;

	ck_assert_msg(code == expected_code, "%s: exit code %d, not %d: %s", command, code,
		      expected_code, text);
	ck_assert_msg(process->output.length == 0, "%s: said on stdout: %s", command,
		      process->output.text);
	ck_assert_msg(strncmp(text, "vgraft-vmm: ", 12) == 0, "%s: %s", command, text);
	ck_assert_msg(strchr(text, '\n') == text + process->messages.length - 1,
		      "%s: not one line: %s", command, text);
	ck_assert_msg(strstr(text, says) != NULL, "%s: no `%s` in: %s", command, says, text);
}

static void need_kvm(const char *test)
{
	if (vg_guest_why_not())
		vg_test_skip_at(test, "%s", vg_guest_why_not());
}

START_TEST(bad_input_is_answered_with_one_sentence_and_an_exit_code)
{
	const struct bad_input *input = &bad_inputs[_i];
	char command[4 * PATH_MAX];

	need_kvm(__func__);
	expand(command, sizeof(command), input->command);
	check_answer(command, input->code, input->says);
}
END_TEST

/* Two guests that write to one disk destroy it. */
START_TEST(a_disk_that_another_guest_uses_is_refused)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;
	char command[3 * PATH_MAX], text[4 * PATH_MAX];

	need_kvm(__func__);
	vg_must(vg_guest_start(&(struct vg_guest_options){.append = "mode=meter"}, &guest));
	snprintf(command, sizeof(command), "%%V run --kernel %%K --disk %s", vg_guest_disk(guest));
	expand(text, sizeof(text), command);
	check_answer(text, 1, vg_guest_disk(guest));
}
END_TEST

static void need_root(const char *test)
{
	int code;

	if (geteuid() != 0)
		vg_test_skip_at(test, "only root can take /dev/kvm away");
	/* In a chroot, or a container without CAP_SYS_ADMIN, root cannot either. */
	vg_must(vg_process_run((const char *const[]){"unshare", "--mount", "true", NULL}, &code,
			       NULL));
	if (code != 0)
		vg_test_skip_at(test, "no mount namespace can be made here to take /dev/kvm away");
}

START_TEST(a_host_without_kvm_is_named)
{
	char command[4 * PATH_MAX];

	need_root(__func__);
	expand(command, sizeof(command),
	       "exec unshare --mount sh -c 'mount -t tmpfs none /dev && exec %V run --kernel %K'");
	check_answer(command, 1, "no /dev/kvm");
}
END_TEST

/* The build folder may be closed to others, so that user gets copies. */
START_TEST(a_user_without_permission_for_kvm_is_told_so)
{
	char command[4 * PATH_MAX];

	need_root(__func__);
	need_kvm(__func__);
	expand(command, sizeof(command),
	       "chmod 755 %F && cp %V %K %F && exec unshare --mount sh -c '"
	       "mount -t tmpfs none /dev && mknod -m 600 /dev/kvm c 10 232 &&"
	       "exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all "
	       "%F/vgraft-vmm run --kernel %F/guest.elf'");
	check_answer(command, 1, "no permission to open /dev/kvm");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm errors");
	TCase *errors = tcase_create("errors");

	tcase_set_timeout(errors, 3 * VG_HANG_SECONDS);
	tcase_add_unchecked_fixture(errors, make_files, remove_files);
	tcase_add_loop_test(errors, bad_input_is_answered_with_one_sentence_and_an_exit_code, 0,
			    BAD_INPUTS);
	tcase_add_test(errors, a_disk_that_another_guest_uses_is_refused);
	tcase_add_test(errors, a_host_without_kvm_is_named);
	tcase_add_test(errors, a_user_without_permission_for_kvm_is_told_so);
	suite_add_tcase(suite, errors);
	return vg_suite_run(suite);
}
