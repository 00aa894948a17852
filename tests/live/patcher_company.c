/* SPDX-License-Identifier: MIT */
/* Who else has to do with the target: the kernel, an ordinary user, a reader of its maps. */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vgraft/patcher.h>

#include "common/cleanup.h"
#include "common/process_maps.h"
#include "patcher/memory.h"
#include "tests/lib/patcher_case.h"
#include "tests/lib/suite.h"

#define NOBODY 65534

/* linux/prctl.h since 5.17 */
#define SET_VMA		  0x53564d41
#define SET_VMA_ANON_NAME 0

static const struct vg_case_change both[] = {{"first", 2, VG_CASE_PROGRAM},
					     {"second", 3, VG_CASE_PROGRAM}};

/* How many threads have a name that begins so. */
static unsigned count_threads(pid_t pid, const char *name)
{
	_cleanup_free_ char *command = NULL;
	unsigned count = 0;

	ck_assert_int_gt(
		asprintf(&command, "grep -l '^%s' /proc/%d/task/*/comm | wc -l", name, pid), 0);
	FILE *pipe = popen(command, "re");

	ck_assert(pipe && fscanf(pipe, "%u", &count) == 1);
	pclose(pipe);
	return count;
}

START_TEST(a_thread_that_io_uring_made_is_left_alone)
{
	struct vg_result result;
	struct vg_case c;

	vg_case_start(&c, "patcher_held", (const char *const[5]){"worker", "", "", "", ""});
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);
	_cleanup_free_ char *line = vg_case_ask(&c, 'g', "inside");

	if (strcmp(line, "inside 1") != 0)
		vg_test_skip("no io_uring here");
	for (int i = 0; !count_threads(c.pid, "iou-wrk") && i < VG_HANG_SECONDS * 1000; i++)
		usleep(1000);
	for (int i = 0; i < 10; i++) {
		vg_case_apply(&c, patch, 30, VG_OUTCOME_APPLIED, &result);
		ck_assert_uint_eq(result.threads, 1);
		vg_result_clear(&result);
		vg_case_expect_answers(&c, 2, 3);
		vg_case_must_revert(&c, "fix");
		vg_case_expect_answers(&c, 1, 1);
	}
	ck_assert_uint_eq(count_threads(c.pid, "iou-wrk"), 1);
	free(vg_case_ask(&c, 'q', "outside"));
	vg_case_end(&c);
}
END_TEST

/* The kernel can be built without names; what it says about our own memory holds for all. */
static bool kernel_can_name(void)
{
	void *page = aligned_alloc(4096, 4096);
	bool can = page && prctl(SET_VMA, SET_VMA_ANON_NAME, page, 4096, "vgraft:test") == 0;

	free(page);
	return can;
}

static bool is_named(pid_t pid, const char *name)
{
	struct vg_maps maps;
	bool found = false;

	ck_assert_ptr_null(vg_maps_read(pid, &maps));
	for (size_t i = 0; i < maps.count; i++)
		found |= strcmp(maps.maps[i].path, name) == 0;
	vg_maps_clear(&maps);
	return found;
}

START_TEST(the_patch_area_has_a_name_in_the_maps_while_it_is_there)
{
	struct vg_case c;

	if (!kernel_can_name())
		vg_test_skip("the kernel does not name memory");
	vg_case_start(&c, "patcher_target", (const char *const[5]){"1", "0", "0", "0", "0"});
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	ck_assert(!is_named(c.pid, "[anon:vgraft:fix]"));
	vg_case_must_apply(&c, patch);
	ck_assert(is_named(c.pid, "[anon:vgraft:fix]"));
	vg_case_must_revert(&c, "fix");
	ck_assert(!is_named(c.pid, "[anon:vgraft:fix]"));
	vg_case_end(&c);
}
END_TEST

/* Applies, or reverts without a patch; the exit status of a process. */
static int work_as_nobody(pid_t pid, const struct vg_patch *patch)
{
	struct vg_patch_options options = {.timeout = 30};
	struct vg_result result;
	struct vg_error *error;

	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
		return 2;
	error = patch ? vg_apply(patch, pid, &options, &result)
		      : vg_revert("fix", pid, &options, &result);
	if (error || result.outcome != (patch ? VG_OUTCOME_APPLIED : VG_OUTCOME_REVERTED)) {
		fprintf(stderr, "as an ordinary user: %s\n", result.reason ? result.reason : "?");
		return 3;
	}
	return 0;
}

static void must_work_as_nobody(const struct vg_case *c, const struct vg_patch *patch)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(work_as_nobody(c->pid, patch));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* From a folder that everybody may read, as a user without privileges. */
static void start_as_nobody(struct vg_case *c, const char *folder)
{
	_cleanup_free_ char *program = vg_beside_test("targets/patcher_held");
	_cleanup_free_ char *command = NULL;

	ck_assert_int_gt(asprintf(&command,
				  "chmod 755 %s && cp '%s' %s/program && "
				  "exec setpriv --reuid=%d --regid=%d --clear-groups "
				  "%s/program traceable",
				  folder, program, folder, NOBODY, NOBODY, folder),
			 0);

	const char *const argv[] = {"sh", "-c", command, NULL};

	*c = (struct vg_case){0};
	ck_assert_int_gt(asprintf(&c->path, "%s/program", folder), 0);
	ck_assert_ptr_null(vg_process_start(argv, &c->process));
	ck_assert_ptr_null(
		vg_process_wait_text(c->process, &c->process->output, 0, "ready\n", NULL));
	c->pid = c->process->pid;
}

/* Where Yama forbids to trace what one has not started, the target has permitted it. */
START_TEST(an_ordinary_user_patches_a_process_of_his_own)
{
	char folder[] = "/tmp/vgraft-company-XXXXXX";
	struct vg_case c;

	if (geteuid() != 0)
		vg_test_skip("cannot become another user");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	start_as_nobody(&c, folder);
	_cleanup_(vg_patch_cleanup) struct vg_patch *patch =
		vg_case_patch(&c, "fix", both, 2, NULL);

	unlink(c.path);
	rmdir(folder);
	must_work_as_nobody(&c, patch);
	vg_case_expect_answers(&c, 2, 3);
	must_work_as_nobody(&c, NULL);
	vg_case_expect_answers(&c, 1, 1);
	vg_case_end(&c);
}
END_TEST

/* A patched target that lies where it was linked, and the entry of its first function. */
struct armed {
	struct vg_case c;
	struct vg_patch *patch;
	struct vg_memory memory;
	uint64_t entry;
	uint8_t original[VGP_JUMP_BYTES], jump[VGP_JUMP_BYTES];
};

static void arm(struct armed *armed)
{
	vg_case_start(&armed->c, "patcher_target_fixed",
		      (const char *const[5]){"1", "1", "0", "0", "0"});
	armed->patch = vg_case_patch(&armed->c, "fix", both, 2, NULL);
	armed->entry = armed->patch->functions[0].old_address;
	memcpy(armed->original, armed->patch->functions[0].entry, VGP_JUMP_BYTES);
	vg_case_must_apply(&armed->c, armed->patch);
	ck_assert_ptr_null(vg_memory_open(armed->c.pid, &armed->memory));
	ck_assert_ptr_null(
		vg_memory_read(&armed->memory, armed->entry, armed->jump, VGP_JUMP_BYTES));
}

static void write_entry(const struct armed *armed, const uint8_t *bytes, size_t count)
{
	ck_assert_ptr_null(vg_memory_write(&armed->memory, armed->entry, bytes, count));
}

static void disarm(struct armed *armed)
{
	vg_memory_close(&armed->memory);
	vg_patch_free(armed->patch);
	vg_case_end(&armed->c);
}

static void expect_interrupted(const struct armed *armed)
{
	struct vg_status status;

	ck_assert_ptr_null(vg_status_read(armed->c.pid, &status));
	ck_assert_uint_eq(status.count, 1);
	ck_assert(status.applied[0].interrupted);
	vg_status_clear(&status);
}

/*
 * As the kernel does for an uprobe: a breakpoint in the first byte, and, when the uprobe is taken
 * out, the byte that the file has. The rest of the entry leads to the patch all the time.
 */
START_TEST(an_entry_that_a_probe_was_put_into_is_whole_again_after_a_revert)
{
	const uint8_t breakpoint = 0xcc;
	bool leaves_before = _i;
	uint8_t now[VGP_JUMP_BYTES];
	struct armed armed;

	arm(&armed);
	write_entry(&armed, leaves_before ? armed.original : &breakpoint, 1);
	expect_interrupted(&armed);
	vg_case_must_revert(&armed.c, "fix");
	ck_assert_ptr_null(vg_memory_read(&armed.memory, armed.entry, now, sizeof(now)));
	ck_assert_uint_eq(now[0], leaves_before ? armed.original[0] : breakpoint);
	ck_assert_mem_eq(now + 1, armed.original + 1, VGP_JUMP_BYTES - 1);
	write_entry(&armed, armed.original, 1);
	vg_case_expect_answers(&armed.c, 1, 1);
	disarm(&armed);
}
END_TEST

START_TEST(another_tools_jump_at_an_entry_refuses_a_revert_by_name)
{
	const uint8_t other[VGP_JUMP_BYTES] = {0xe9, 1, 2, 3, 4};
	struct vg_result result;
	struct armed armed;

	arm(&armed);
	write_entry(&armed, other, sizeof(other));
	expect_interrupted(&armed);
	vg_case_revert(&armed.c, "fix", 0, VG_OUTCOME_REFUSED, &result);
	ck_assert_msg(strstr(result.reason, "the entry of first in process"), "%s", result.reason);
	vg_result_clear(&result);
	write_entry(&armed, armed.jump, sizeof(armed.jump));
	vg_case_expect_answers(&armed.c, 2, 3);
	vg_case_must_revert(&armed.c, "fix");
	vg_case_expect_answers(&armed.c, 1, 1);
	disarm(&armed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_company");
	TCase *tcase = tcase_create("company");

	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, a_thread_that_io_uring_made_is_left_alone);
	tcase_add_test(tcase, the_patch_area_has_a_name_in_the_maps_while_it_is_there);
	tcase_add_test(tcase, an_ordinary_user_patches_a_process_of_his_own);
	tcase_add_loop_test(tcase, an_entry_that_a_probe_was_put_into_is_whole_again_after_a_revert,
			    0, 2);
	tcase_add_test(tcase, another_tools_jump_at_an_entry_refuses_a_revert_by_name);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
