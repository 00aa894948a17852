/* SPDX-License-Identifier: MIT */
/*
 * Programs other than the x86 system emulator, patched live: each is a manifest in patches/targets
 * and nothing else. `make check-qemu` has those that share the emulator's build directory made,
 * `make check-targets` all of them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vgraft/error.h>

#include "common/cleanup.h"
#include "tests/lib/command.h"
#include "tests/lib/guest.h"
#include "tests/lib/process.h"
#include "tests/lib/suite.h"

#define PACKAGE "packages/qemu_7.2+dfsg-7+deb12u15"
#define QEMU	"-nodefaults", "-display", "none", "-S", "-qmp", "stdio"

static const struct target {
	const char *name,
		*program; /* of patches/targets; below the folder of the binary packages */
	const char *arguments[16];
	const char *ready; /* says that it has started */
	const char *patch, *function;
} targets[] = {
	{.name = "aarch64",
	 .program = "qemu-system-arm/usr/bin/qemu-system-aarch64",
	 .arguments = {"-M", "virt", "-device", "piix3-usb-uhci", QEMU},
	 .ready = "\"QMP\"",
	 .patch = "CVE-2024-8354-aarch64",
	 .function = "uhci_handle_td"},
	{.name = "virtiofsd",
	 .program = "qemu-system-common/usr/lib/qemu/virtiofsd",
	 .arguments = {"--socket-path=socket", "-o", "source=.", "-o", "sandbox=chroot"},
	 .ready = "Waiting for vhost-user",
	 .patch = "virtiofsd-short-request",
	 .function = "fv_queue_worker"},
	{.name = "microvm",
	 .program = "qemu-system-x86/usr/bin/qemu-system-x86_64-microvm",
	 .arguments = {"-M", "none,accel=qtest", QEMU},
	 .ready = "\"QMP\"",
	 .patch = "CVE-2025-12464-microvm",
	 .function = "qemu_receive_packet"},
	{.name = "xen",
	 .program = "qemu-system-xen/usr/libexec/xen-qemu-system-i386",
	 .arguments = {"-M", "pc,accel=qtest", "-device", "piix3-usb-uhci", "-bios", "bios", QEMU},
	 .ready = "\"QMP\"",
	 .patch = "CVE-2024-8354-xen",
	 .function = "uhci_handle_td"},
};

static char folder[] = "/tmp/vgraft-targets-XXXXXX";
static char *build; /* absolute */

static void must(struct vg_error *error)
{
	ck_assert_msg(!error, "%s", error ? vg_error_text(error) : "");
}

static void enter(void)
{
	build = realpath(vg_build_folder(), NULL);
	ck_assert_ptr_nonnull(build);
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void leave(void)
{
	const char *const remove[] = {"rm", "-rf", folder, NULL};

	vg_error_free(vg_process_must_run(remove));
	free(build);
}

/*
 * In a folder of its own. Xen's libraries are not installed, but among the build dependencies that
 * were unpacked; the loader takes those that a program lacks from there.
 */
static struct vg_process *start(const struct target *target)
{
	static const char script[] =
		"cd \"$1\" && mkdir lib && ln -s \"$2\"/root/usr/lib/x86_64-linux-gnu/libxen*.so.* "
		"lib && "
		"truncate -s 64K bios && export LD_LIBRARY_PATH=lib && "
		"program=$2/target/$3 && shift 3 && exec \"$program\" \"$@\" 2>&1";
	_cleanup_free_ char *package = NULL;
	const char *argv[32] = {"sh", "-c", script, "sh", folder};
	size_t count = 5;
	struct vg_process *process;

	ck_assert_int_gt(asprintf(&package, "%s/" PACKAGE, build), 0);
	argv[count++] = package;
	argv[count++] = target->program;
	for (size_t i = 0; target->arguments[i]; i++)
		argv[count++] = target->arguments[i];
	must(vg_process_start(argv, &process));
	must(vg_process_wait_text(process, &process->output, 0, target->ready, NULL));
	return process;
}

static bool is_running(const struct vg_process *process)
{
	return !kill(process->pid, 0) && !process->reaped;
}

static void apply_and_revert(const struct target *target, const char *patch,
			     const struct vg_process *process)
{
	_cleanup_answer_ json_t *applied = NULL, *status = NULL, *reverted = NULL, *again = NULL;
	char pid[16];
	const char *const apply[] = {"apply", patch, "--pid", pid, NULL};
	const char *const ask[] = {"status", "--pid", pid, NULL};
	const char *const revert[] = {"revert", target->patch, "--pid", pid, NULL};
	json_t *functions;

	snprintf(pid, sizeof(pid), "%d", process->pid);
	must(vg_command_must(apply, &applied));
	ck_assert_str_eq(vg_answer_text(applied, "result"), "applied");
	must(vg_command_must(ask, &status));
	ck_assert_str_eq(vg_answer_text(status, "patch"), target->patch);
	ck_assert_str_eq(vg_answer_text(status, "state"), "applied");
	functions = json_object_get(status, "functions");
	ck_assert_str_eq(vg_answer_text(json_array_get(functions, 0), "name"), target->function);
	ck_assert(is_running(process));
	must(vg_command_must(revert, &reverted));
	ck_assert_str_eq(vg_answer_text(reverted, "result"), "reverted");
	must(vg_command_must(revert, &again));
	ck_assert_str_eq(vg_answer_text(again, "result"), "already");
}

START_TEST(a_fix_goes_into_the_running_program_and_out_again)
{
	const struct target *target = &targets[_i];
	_cleanup_process_ struct vg_process *process = NULL;
	_cleanup_free_ char *patch = NULL;

	ck_assert_int_gt(asprintf(&patch, "%s/targets/%s.vgp", build, target->name), 0);
	if (access(patch, F_OK))
		vg_test_skip("the patch for %s was not made; make check-targets does",
			     target->name);
	process = start(target);
	apply_and_revert(target, patch, process);
	ck_assert(is_running(process));
	if (strstr(target->ready, "QMP")) {
		must(vg_process_send(process, "{\"execute\":\"qmp_capabilities\"}\n"));
		must(vg_process_wait_text(process, &process->output, 0, "\"return\"", NULL));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("qemu_targets");
	TCase *tests = tcase_create("targets");

	tcase_set_timeout(tests, 300);
	tcase_add_checked_fixture(tests, enter, leave);
	tcase_add_loop_test(tests, a_fix_goes_into_the_running_program_and_out_again, 0,
			    sizeof(targets) / sizeof(*targets));
	suite_add_tcase(suite, tests);
	return vg_suite_run(suite);
}
