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
#include "tests/lib/command.h"
#include "tests/lib/guest.h"
#include "tests/lib/killer.h"
#include "tests/lib/process.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"

#include <vgraft/patcher.h>

/* N: price; =N: sets the limit; ?: the limit, faults and interrupted sleeps. */
#define PROGRAM                                                                                    \
	"#include <errno.h>\n#include <pthread.h>\n#include <signal.h>\n#include <stdio.h>\n"      \
	"#include <stdlib.h>\n#include <time.h>\n"                                                 \
	"extern int limit;\nint price(int i);\nstatic int faults, interrupted;\n"                  \
	"static void fault(int signal) { faults += signal != 0; }\n"                               \
	"static void *nap(void *argument)\n{\n\tstruct timespec time = {0, 1000000};\n"            \
	"\tfor (;;)\n\t\tif (nanosleep(&time, NULL) && errno == EINTR)\n\t\t\tinterrupted++;\n"    \
	"\treturn argument;\n}\n"                                                                  \
	"int main(void)\n{\n\tchar line[64];\n\tpthread_t thread;\n"                               \
	"\tsignal(SIGSEGV, fault);\n\tpthread_create(&thread, NULL, nap, NULL);\n"                 \
	"\twhile (fgets(line, sizeof(line), stdin)) {\n"                                           \
	"\t\tif (*line == '=')\n\t\t\tlimit = atoi(line + 1);\n"                                   \
	"\t\tif (*line == '?')\n"                                                                  \
	"\t\t\tprintf(\"limit %d faults %d interrupted %d\\n\", limit, faults, interrupted);\n"    \
	"\t\telse\n\t\t\tprintf(\"price %d\\n\", price(atoi(line)));\n"                            \
	"\t\tfflush(stdout);\n\t}\n\treturn 0;\n}\n"

#define PRICE                                                                                      \
	"int limit = 10;\nstruct item { int price; };\n"                                           \
	"struct item items[4] = {{1}, {2}, {3}, {4}};\n"                                           \
	"int price(int i)\n{\n\treturn items[i & 3].price + limit;\n}\n"

#define DIFF                                                                                       \
	"--- a/price.c\n+++ b/price.c\n@@ -1,7 +1,9 @@\n int limit = 10;\n"                        \
	" struct item { int price; };\n struct item items[4] = {{1}, {2}, {3}, {4}};\n"            \
	"+#include <vgraft/hooks.h>\n int price(int i)\n {\n"                                      \
	"-\treturn items[i & 3].price + limit;\n"                                                  \
	"+\tint *sold = vgraft_shadow_attach(&items[i & 3], 1, sizeof(*sold));\n"                  \
	"+\treturn items[i & 3].price + limit + 100 * (sold ? ++*sold : 0);\n }\n"

#define HEAD "#include <vgraft/hooks.h>\nextern int limit;\nVGRAFT_SHADOW_VARIABLES;\n"

/* Limits 13 to 16 make the pre hooks misbehave; 17 and 19 make one spin until the limit changes. */
#define HOOKS                                                                                      \
	HEAD "static void spin(int value)\n{\n\tlimit = value;\n"                                  \
	     "\twhile (*(volatile int *)&limit == value)\n\t\t;\n}\n"                              \
	     "static int pre(void)\n{\n\tif (limit == 13)\n\t\treturn 7;\n"                        \
	     "\tif (limit == 14)\n\t\t*(volatile int *)8 = 1;\n"                                   \
	     "\tif (limit == 15)\n\t\tfor (;;)\n\t\t\t__asm__ volatile(\"\");\n"                   \
	     "\tif (limit == 17)\n\t\tspin(18);\n"                                                 \
	     "\tlimit = limit == 19 ? 30 : 20;\n\treturn 0;\n}\nVGRAFT_PRE_APPLY(pre)\n"           \
	     "static void post(void)\n{\n\tif (limit == 30)\n\t\tspin(31);\n\tlimit = 21;\n}\n"    \
	     "VGRAFT_POST_APPLY(post)\n"                                                           \
	     "static int pre_revert(void) { return limit == 16; }\n"                               \
	     "VGRAFT_PRE_REVERT(pre_revert)\n"                                                     \
	     "static void post_revert(void) { limit = 10; }\nVGRAFT_POST_REVERT(post_revert)\n"

static char home[4096], vgraft[4200];

#define COMMAND                                                                                    \
	"{\"directory\": \"%s\", \"file\": \"%s.c\", \"command\": \"gcc -O2 -g -I%s/include -c "   \
	"%s.c -o %s.o\"}"

static void set_up(void)
{
	_cleanup_free_ char *commands = NULL;
	const char *root;

	vg_project_enter();
	root = vg_project_root();
	ck_assert_int_gt(asprintf(&commands, "[" COMMAND ",\n" COMMAND "]\n", root, "main", home,
				  "main", "main", root, "price", home, "price", "price"),
			 0);
	vg_project_write("main.c", PROGRAM);
	vg_project_write("price.c", PRICE);
	vg_project_write("fix.diff", DIFF);
	vg_project_write("compile_commands.json", commands);
	vg_project_shell("gcc -O2 -g -I%s/include -c main.c price.c && "
			 "gcc -Wl,--build-id -o program main.o price.o -lpthread",
			 home);
}

/* The exit code of vgraft build with this hooks file; *text: what it says. */
static int build(const char *hooks, char **text)
{
	vg_project_write("hooks/hooks.c", hooks);
	return vg_project_output(text,
				 "%s build --source . --diff fix.diff --target program --name fix "
				 "--hooks hooks/hooks.c -o fix.vgp 2>&1",
				 vgraft);
}

static struct vg_process *start(void)
{
	const char *const argv[] = {"./program", NULL};
	_cleanup_free_ char *text = NULL;
	struct vg_process *process;
	int code = build(HOOKS, &text);

	ck_assert_msg(code == 0, "%s", text);

	struct vg_error *error = vg_process_start(argv, &process);

	ck_assert_msg(!error, "%s", vg_error_text(error));
	return process;
}

static void expect(struct vg_process *process, const char *question, const char *answer)
{
	size_t from = process->output.length, at;
	struct vg_error *error = vg_process_send(process, question);

	if (!error)
		error = vg_process_wait_text(process, &process->output, from, "\n", &at);
	ck_assert_msg(!error, "%s", vg_error_text(error));
	ck_assert_msg(!strncmp(process->output.text + from, answer, strlen(answer)),
		      "%s: expected %s, got %s", question, answer, process->output.text + from);
}

/* Runs the verb; *text is its JSON line. */
static int run(const struct vg_process *process, const char *verb, char **text)
{
	return vg_project_output(text, "%s %s --pid %d%s --json 2>/dev/null", vgraft, verb,
				 process->pid,
				 strstr(verb, "timeout") || *verb == 's' ? "" : " --timeout 20");
}

static void expect_run(const struct vg_process *process, const char *verb, const char *result,
		       const char *says)
{
	_cleanup_free_ char *text = NULL;

	run(process, verb, &text);
	ck_assert_msg(strstr(text, result) && strstr(text, says), "%s: %s", verb, text);
}

START_TEST(hooks_run_around_apply_and_revert_and_change_data)
{
	_cleanup_process_ struct vg_process *process = start();

	expect(process, "0\n", "price 11\n");
	for (int i = 0; i < 3; i++) {
		expect_run(process, "apply fix.vgp", "\"applied\"", "\"hook_us\"");
		expect(process, "?\n", "limit 21 faults 0 interrupted 0\n");
		expect_run(process, "revert fix", "\"reverted\"", "\"hook_us\"");
		expect(process, "?\n", "limit 10 faults 0 interrupted 0\n");
		expect(process, "0\n", "price 11\n");
	}
}
END_TEST

START_TEST(a_shadow_variable_adds_a_field_to_a_live_object)
{
	_cleanup_process_ struct vg_process *process = start();

	expect_run(process, "apply fix.vgp", "\"applied\"", "");
	expect(process, "0\n", "price 122\n");
	expect(process, "0\n", "price 222\n");
	expect(process, "1\n", "price 123\n");
	expect(process, "0\n", "price 322\n");
	expect_run(process, "revert fix", "\"reverted\"", "");
	expect_run(process, "apply fix.vgp", "\"applied\"", "");
	expect(process, "0\n", "price 122\n");
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

	expect(process, vetoes[_i].set, "price ");
	expect_run(process, "apply fix.vgp", "\"refused\"", vetoes[_i].says);
	expect(process, "?\n", vetoes[_i].state);
	expect_run(process, "revert fix", "\"already\"", "\"recovered\":false");
	expect(process, "=10\n", "price 11\n");
	expect_run(process, "apply fix.vgp", "\"applied\"", "");
	expect(process, "?\n", "limit 21 faults 0 interrupted 0\n");
}
END_TEST

START_TEST(a_veto_of_a_pre_revert_hook_keeps_the_patch_applied)
{
	_cleanup_process_ struct vg_process *process = start();

	expect_run(process, "apply fix.vgp", "\"applied\"", "");
	expect(process, "=16\n", "price 117\n");
	expect_run(process, "revert fix", "\"refused\"", "pre_revert");
	expect(process, "0\n", "price 217\n");
	expect_run(process, "apply fix.vgp", "\"already\"", "");
	expect(process, "=10\n", "price 311\n");
	expect_run(process, "revert fix", "\"reverted\"", "");
	expect(process, "0\n", "price 11\n");
}
END_TEST

static const struct {
	const char *body, *says;
} forbidden[] = {
	{"#include <stdlib.h>\nvoid *kept;\nstatic int h(void) { kept = malloc(9); return 0; }",
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

	ck_assert_int_gt(asprintf(&hooks, "%s%s\nVGRAFT_PRE_APPLY(h)\n", HEAD, forbidden[_i].body),
			 0);
	ck_assert_int_eq(build(hooks, &text), 3);
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
		execl(vgraft, vgraft, "apply", "fix.vgp", "--pid", pid, NULL);
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
	expect(process, running[_i].set, "price ");
	kill_in_hook(&memory, limit, running[_i].spins);
	expect_run(process, "status", "\"interrupted\"", "");
	expect_run(process, "apply fix.vgp --timeout 0.2", "\"busy\"", "");
	expect_run(process, "revert fix --timeout 0.2", "\"busy\"", "");
	expect_run(process, "status", "\"interrupted\"", "");
	ck_assert_ptr_null(vg_memory_write(&memory, limit, &done, sizeof(done)));
	expect_run(process, "apply fix.vgp", running[_i].then, "\"recovered\":true");
	expect(process, "?\n", "limit 21 faults 0 interrupted 0\n");
	expect_run(process, "revert fix", "\"reverted\"", "");
	expect(process, "?\n", "limit 10 faults 0");
	expect(process, "0\n", "price 11\n");
	vg_memory_close(&memory);
}
END_TEST

static bool is_nth(void *context, const struct vg_killer_call *call, size_t nth)
{
	(void)call;
	return nth == *(size_t *)context;
}

/* Killed at call `at` of the verb; false: it came to its end. */
static bool kill_at(struct vg_process *process, const char *verb, const char *what, size_t at)
{
	struct vg_killer killer;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", process->pid);

	const char *argv[] = {vgraft, verb, what, "--pid", pid, "--timeout", "30", NULL};

	vg_killer_run(argv, is_nth, &at, &killer);

	bool killed = killer.killed;

	vg_killer_clear(&killer);
	return killed;
}

/* The same fix and hooks as a cumulative patch. */
static void build_cumulative(const char *options)
{
	vg_project_shell("%s build --source . --diff fix.diff --target program --name all %s "
			 "--replace -o all.vgp 2>/dev/null",
			 vgraft, options);
}

START_TEST(hooks_of_a_replaced_patch_are_not_run)
{
	_cleanup_process_ struct vg_process *process = start();

	/* No hook, but the shadow variables. */
	vg_project_write("hooks/none.c", HEAD);
	build_cumulative("--hooks hooks/none.c");
	expect_run(process, "apply fix.vgp", "\"applied\"", "");
	expect(process, "=16\n", "price 117\n");
	/* pre-revert would veto now, and post-revert set the limit to 10. */
	expect_run(process, "apply all.vgp", "\"applied\"", "\"replaced\":[\"fix\"]");
	expect(process, "?\n", "limit 16 faults 0 interrupted 0\n");
	expect_run(process, "revert all", "\"reverted\"", "");
	expect(process, "?\n", "limit 16 faults 0 interrupted 0\n");
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

	build_cumulative("--hooks hooks/hooks.c");
	for (; killed; at += step) {
		if (killed_verbs[_i].before)
			expect_run(process, killed_verbs[_i].before, "\"applied\"", "");
		killed = kill_at(process, verb, what, at);
		expect(process, "0\n", "price ");
		expect_run(process, killed_verbs[_i].apply, "\"a", "\"result\"");
		expect(process, "=21\n", "price ");
		expect(process, "?\n", "limit 21 faults 0");
		expect_run(process, killed_verbs[_i].revert, "\"reverted\"", "");
		expect(process, "?\n", "limit 10 faults 0");
		expect(process, "0\n", "price 11\n");
	}
	printf("%s %s: killed at %zu points, 0 bad\n", verb, what, at / step);
	fflush(stdout);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_hooks");
	TCase *tcase = tcase_create("hooks");
	char build_folder[4096];

	if (!getcwd(home, sizeof(home)) || !realpath(vg_build_folder(), build_folder))
		return 1;
	snprintf(vgraft, sizeof(vgraft), "%s/vgraft", build_folder);
	tcase_set_timeout(tcase, 600);
	tcase_add_checked_fixture(tcase, set_up, vg_project_leave);
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
