/* SPDX-License-Identifier: MIT */
/*
 * Hooks and shadow variables, from source to a running process: what hooks write is there, a veto,
 * a fault and a hook that does not return leave everything as it was, and a tool killed at any
 * system call leaves a hook that finishes by itself.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/process_maps.h"
#include "patcher/memory.h"
#include "tests/lib/hook_case.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"

#include <vgraft/patcher.h>

/* Limits 13 to 16 make the pre hooks misbehave; 17 and 19 make one spin until the limit changes. */
#define HOOKS                                                                                      \
	VG_HOOK_CASE_HEAD                                                                          \
	"static void spin(int value)\n{\n\tlimit = value;\n"                                       \
	"\twhile (*(volatile int *)&limit == value)\n\t\t;\n}\n"                                   \
	"static int pre(void)\n{\n\tif (limit == 13)\n\t\treturn 7;\n"                             \
	"\tif (limit == 14)\n\t\t*(volatile int *)8 = 1;\n"                                        \
	"\tif (limit == 15)\n\t\tfor (;;)\n\t\t\t__asm__ volatile(\"\");\n"                        \
	"\tif (limit == 17)\n\t\tspin(18);\n"                                                      \
	"\tlimit = limit == 19 ? 30 : 20;\n\treturn 0;\n}\nVGRAFT_PRE_APPLY(pre)\n"                \
	"static void post(void)\n{\n\tif (limit == 30)\n\t\tspin(31);\n\tlimit = 21;\n}\n"         \
	"VGRAFT_POST_APPLY(post)\n"                                                                \
	"static int pre_revert(void) { return limit == 16; }\n"                                    \
	"VGRAFT_PRE_REVERT(pre_revert)\n"                                                          \
	"static void post_revert(void) { limit = 10; }\nVGRAFT_POST_REVERT(post_revert)\n"

static struct vg_process *start(void)
{
	vg_hook_case_must_build("fix", HOOKS, "");
	return vg_hook_case_start();
}

START_TEST(hooks_run_around_apply_and_revert_and_change_data)
{
	_cleanup_process_ struct vg_process *process = start();

	vg_project_expect(process, "0\n", "price 11\n");
	for (int i = 0; i < 3; i++) {
		vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "\"hook_us\"");
		vg_project_expect(process, "?\n", "limit 21 faults 0 interrupted 0\n");
		vg_hook_case_run(process, "revert fix", "\"reverted\"", "\"hook_us\"");
		vg_project_expect(process, "?\n", "limit 10 faults 0 interrupted 0\n");
		vg_project_expect(process, "0\n", "price 11\n");
	}
}
END_TEST

START_TEST(a_shadow_variable_adds_a_field_to_a_live_object)
{
	_cleanup_process_ struct vg_process *process = start();

	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
	vg_project_expect(process, "0\n", "price 122\n");
	vg_project_expect(process, "0\n", "price 222\n");
	vg_project_expect(process, "1\n", "price 123\n");
	vg_project_expect(process, "0\n", "price 322\n");
	vg_hook_case_run(process, "revert fix", "\"reverted\"", "");
	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
	vg_project_expect(process, "0\n", "price 122\n");
}
END_TEST

static const struct {
	const char *set, *says, *state;
} vetoes[] = {
	{"=13\n", "vetoed (7)", "limit 13 faults 0 interrupted 0\n"},
	{"=14\n", "Segmentation fault", "limit 14 faults 0 interrupted 0\n"},
	{"=15\n", "did not return within", "limit 15 faults 0 interrupted 0\n"},
};

START_TEST(a_pre_hook_that_vetoes_faults_or_hangs_leaves_everything_as_it_was)
{
	_cleanup_process_ struct vg_process *process = start();

	vg_project_expect(process, vetoes[_i].set, "price ");
	vg_hook_case_run(process, "apply fix.vgp", "\"refused\"", vetoes[_i].says);
	vg_project_expect(process, "?\n", vetoes[_i].state);
	vg_hook_case_run(process, "revert fix", "\"already\"", "\"recovered\":false");
	vg_project_expect(process, "=10\n", "price 11\n");
	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
	vg_project_expect(process, "?\n", "limit 21 faults 0 interrupted 0\n");
}
END_TEST

START_TEST(a_veto_of_a_pre_revert_hook_keeps_the_patch_applied)
{
	_cleanup_process_ struct vg_process *process = start();

	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
	vg_project_expect(process, "=16\n", "price 117\n");
	vg_hook_case_run(process, "revert fix", "\"refused\"", "pre_revert");
	vg_project_expect(process, "0\n", "price 217\n");
	vg_hook_case_run(process, "apply fix.vgp", "\"already\"", "");
	vg_project_expect(process, "=10\n", "price 311\n");
	vg_hook_case_run(process, "revert fix", "\"reverted\"", "");
	vg_project_expect(process, "0\n", "price 11\n");
}
END_TEST

static const struct {
	const char *body, *says;
} forbidden[] = {
	{"#include <stdlib.h>\nvoid *got;\nstatic int h(void) { got = malloc(9); return 0; }",
	 "malloc"},
	{"#include <stdio.h>\nstatic int h(void) { puts(\"x\"); return 0; }", "puts"},
	{"int price(int i);\nstatic int h(void) { return price(1); }", "price"},
	{"int (*go)(void);\nstatic int h(void) { return go() + 1; }", "go"},
	{"static int h(void) { long r = 39; __asm__ volatile(\"syscall\" : \"+a\"(r) : : \"rcx\", "
	 "\"r11\", \"memory\"); return (int)r; }",
	 "system call"},
	{"#include <unistd.h>\nstatic __attribute__((noinline)) int deep(int n)\n"
	 "{ return n ? 1 + deep(n - 1) : (int)getpid(); }\nstatic int h(void) { return deep(4); }",
	 "getpid"},
};

START_TEST(a_hook_that_calls_what_may_block_or_allocate_is_refused_by_name)
{
	_cleanup_free_ char *hooks = NULL, *text = NULL;

	ck_assert_int_gt(asprintf(&hooks, "%s%s\nVGRAFT_PRE_APPLY(h)\n", VG_HOOK_CASE_HEAD,
				  forbidden[_i].body),
			 0);
	vg_project_write("hooks/fix.c", hooks);
	ck_assert_int_eq(vg_hook_case_build("fix", "--hooks hooks/fix.c", &text), 3);
	ck_assert_msg(strstr(text, forbidden[_i].says), "%s", text);
	ck_assert_int_ne(access("fix.vgp", F_OK), 0);
}
END_TEST

static uint64_t address_of_limit(const struct vg_process *process)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};
	struct vg_symbols symbols;
	struct vg_elf *elf;
	uint64_t address = 0;

	ck_assert_ptr_null(vg_elf_open("program", &elf));
	ck_assert_ptr_null(vg_elf_symbols(elf, SHT_SYMTAB, &symbols));
	ck_assert_ptr_null(vg_maps_read(process->pid, &maps));
	for (size_t i = 0; i < symbols.count; i++)
		if (strcmp(symbols.symbols[i].name, "limit") == 0)
			address = symbols.symbols[i].sym.st_value;
	for (size_t i = 0; i < maps.count; i++)
		if (strstr(maps.maps[i].path, "/program")) {
			address += maps.maps[i].start;
			break;
		}
	vg_symbols_clear(&symbols);
	vg_elf_close(elf);
	return address;
}

/* Starts an apply, and kills it when its hook has set the limit to `value` and spins. */
static void kill_in_hook(const struct vg_memory *memory, uint64_t limit, int value)
{
	int now = 0, status;
	char pid[16];
	pid_t tool = fork();

	ck_assert_int_ge(tool, 0);
	if (!tool) {
		snprintf(pid, sizeof(pid), "%d", memory->pid);
		if (!freopen("/dev/null", "w", stderr))
			_exit(127);
		execl(vg_hook_case_tool(), "vgraft", "apply", "fix.vgp", "--pid", pid, NULL);
		_exit(127);
	}
	while (now != value)
		ck_assert_ptr_null(vg_memory_read(memory, limit, &now, sizeof(now)));
	kill(tool, SIGKILL);
	ck_assert_int_eq(waitpid(tool, &status, 0), tool);
	ck_assert(WIFSIGNALED(status));
}

static const struct {
	const char *set;
	int spins;
	const char *then;
} running[] = {{"=17\n", 18, "\"applied\""}, {"=19\n", 31, "\"already\""}};

/* Before it is over nothing is done; then the next verb goes on where the killed one was. */
START_TEST(a_hook_that_runs_when_the_tool_is_killed_is_waited_for)
{
	_cleanup_process_ struct vg_process *process = start();
	uint64_t limit = address_of_limit(process);
	struct vg_memory memory;
	int done = 10;

	ck_assert_ptr_null(vg_memory_open(process->pid, &memory));
	vg_project_expect(process, running[_i].set, "price ");
	kill_in_hook(&memory, limit, running[_i].spins);
	vg_hook_case_run(process, "status", "\"interrupted\"", "");
	vg_hook_case_run(process, "apply fix.vgp --timeout 0.2", "\"busy\"", "");
	vg_hook_case_run(process, "revert fix --timeout 0.2", "\"busy\"", "");
	vg_hook_case_run(process, "status", "\"interrupted\"", "");
	ck_assert_ptr_null(vg_memory_write(&memory, limit, &done, sizeof(done)));
	vg_hook_case_run(process, "apply fix.vgp", running[_i].then, "\"recovered\":true");
	vg_project_expect(process, "?\n", "limit 21 faults 0 interrupted 0\n");
	vg_hook_case_run(process, "revert fix", "\"reverted\"", "");
	vg_project_expect(process, "?\n", "limit 10 faults 0");
	vg_project_expect(process, "0\n", "price 11\n");
	vg_memory_close(&memory);
}
END_TEST

START_TEST(hooks_of_a_replaced_patch_are_not_run)
{
	_cleanup_process_ struct vg_process *process = start();

	/* No hook, but the shadow variables. */
	vg_hook_case_must_build("all", VG_HOOK_CASE_HEAD, "--replace");
	vg_hook_case_run(process, "apply fix.vgp", "\"applied\"", "");
	vg_project_expect(process, "=16\n", "price 117\n");
	/* pre-revert would veto now, and post-revert set the limit to 10. */
	vg_hook_case_run(process, "apply all.vgp", "\"applied\"", "\"replaced\":[\"fix\"]");
	vg_project_expect(process, "?\n", "limit 16 faults 0 interrupted 0\n");
	vg_hook_case_run(process, "revert all", "\"reverted\"", "");
	vg_project_expect(process, "?\n", "limit 16 faults 0 interrupted 0\n");
}
END_TEST

/* A verb that is killed, what is there before it, and the verbs that must work afterwards. */
static const struct {
	const char *before, *verb, *what, *apply, *revert;
} killed_verbs[] = {
	{NULL, "apply", "fix.vgp", "apply fix.vgp", "revert fix"},
	{"apply fix.vgp", "revert", "fix", "apply fix.vgp", "revert fix"},
	{"apply fix.vgp", "apply", "all.vgp", "apply all.vgp", "revert all"},
};

/* Whatever the kill left, the next verbs get the target to each of its two states. */
START_TEST(a_tool_killed_around_hooks_is_recovered_from)
{
	_cleanup_process_ struct vg_process *process = start();
	const char *verb = killed_verbs[_i].verb, *what = killed_verbs[_i].what;
	size_t at = 1, step = getenv("VGRAFT_KILL_ALL") ? 1 : 7;
	bool killed = true;

	vg_hook_case_must_build("all", HOOKS, "--replace");
	for (; killed; at += step) {
		if (killed_verbs[_i].before)
			vg_hook_case_run(process, killed_verbs[_i].before, "\"applied\"", "");
		killed = vg_hook_case_kill_at(process, verb, what, at);
		vg_project_expect(process, "0\n", "price ");
		vg_hook_case_run(process, killed_verbs[_i].apply, "\"a", "\"result\"");
		vg_project_expect(process, "=21\n", "price ");
		vg_project_expect(process, "?\n", "limit 21 faults 0");
		vg_hook_case_run(process, killed_verbs[_i].revert, "\"reverted\"", "");
		vg_project_expect(process, "?\n", "limit 10 faults 0");
		vg_project_expect(process, "0\n", "price 11\n");
	}
	printf("%s %s: killed at %zu points, 0 bad\n", verb, what, at / step);
	fflush(stdout);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_hooks");
	TCase *tcase = tcase_create("hooks");

	if (!vg_hook_case_find_tool())
		return 1;
	tcase_set_timeout(tcase, 600);
	tcase_add_checked_fixture(tcase, vg_hook_case_enter, vg_project_leave);
	tcase_add_test(tcase, hooks_run_around_apply_and_revert_and_change_data);
	tcase_add_test(tcase, a_shadow_variable_adds_a_field_to_a_live_object);
	tcase_add_loop_test(tcase,
			    a_pre_hook_that_vetoes_faults_or_hangs_leaves_everything_as_it_was, 0,
			    sizeof(vetoes) / sizeof(vetoes[0]));
	tcase_add_test(tcase, a_veto_of_a_pre_revert_hook_keeps_the_patch_applied);
	tcase_add_loop_test(tcase, a_hook_that_calls_what_may_block_or_allocate_is_refused_by_name,
			    0, sizeof(forbidden) / sizeof(forbidden[0]));
	tcase_add_loop_test(tcase, a_hook_that_runs_when_the_tool_is_killed_is_waited_for, 0, 2);
	tcase_add_test(tcase, hooks_of_a_replaced_patch_are_not_run);
	tcase_add_loop_test(tcase, a_tool_killed_around_hooks_is_recovered_from, 0,
			    sizeof(killed_verbs) / sizeof(killed_verbs[0]));
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
