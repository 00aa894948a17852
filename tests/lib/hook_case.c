/* SPDX-License-Identifier: MIT */
#include "tests/lib/hook_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tests/lib/guest.h"
#include "tests/lib/killer.h"
#include "tests/lib/project.h"
#include "tests/lib/suite.h"

/* It could make coroutines, and has memory enough for the kernel to keep track of what is written.
 */
#define PROGRAM                                                                                    \
	"#include <errno.h>\n#include <pthread.h>\n#include <signal.h>\n#include <stdio.h>\n"      \
	"#include <stdlib.h>\n#include <string.h>\n#include <time.h>\n#include <ucontext.h>\n"     \
	"static char memory[4 << 20];\nvoid *volatile maker;\n"                                    \
	"extern int limit;\nint price(int i);\nstatic int faults, interrupted;\n"                  \
	"static void fault(int signal) { faults += signal != 0; }\n"                               \
	"static void *nap(void *argument)\n{\n\tstruct timespec time = {0, 1000000};\n"            \
	"\tfor (;;)\n\t\tif (nanosleep(&time, NULL) && errno == EINTR)\n\t\t\tinterrupted++;\n"    \
	"\treturn argument;\n}\n"                                                                  \
	"int main(void)\n{\n\tchar line[64];\n\tpthread_t thread;\n"                               \
	"\tmemset(memory, 1, sizeof(memory));\n\tmaker = (void *)makecontext;\n"                   \
	"\tsignal(SIGSEGV, fault);\n\tpthread_create(&thread, NULL, nap, NULL);\n"                 \
	"\twhile (fgets(line, sizeof(line), stdin)) {\n"                                           \
	"\t\tif (*line == '=')\n\t\t\tlimit = atoi(line + 1);\n"                                   \
	"\t\tif (*line == '?')\n"                                                                  \
	"\t\t\tprintf(\"limit %d faults %d interrupted %d\\n\", limit, faults, interrupted);\n"    \
	"\t\telse\n\t\t\tprintf(\"price %d\\n\", price(atoi(line)));\n"                            \
	"\t\tfflush(stdout);\n\t}\n\treturn 0;\n}\n"

#define PRICE                                                                                      \
	"int limit = 10;\nvoid *kept;\nstruct item { int price; };\n"                              \
	"struct item items[4] = {{1}, {2}, {3}, {4}};\n"                                           \
	"int price(int i)\n{\n\treturn items[i & 3].price + limit;\n}\n"

#define DIFF                                                                                       \
	"--- a/price.c\n+++ b/price.c\n@@ -1,8 +1,10 @@\n int limit = 10;\n void *kept;\n"         \
	" struct item { int price; };\n struct item items[4] = {{1}, {2}, {3}, {4}};\n"            \
	"+#include <vgraft/hooks.h>\n int price(int i)\n {\n"                                      \
	"-\treturn items[i & 3].price + limit;\n"                                                  \
	"+\tint *sold = vgraft_shadow_attach(&items[i & 3], 1, sizeof(*sold));\n"                  \
	"+\treturn items[i & 3].price + limit + 100 * (sold ? ++*sold : 0);\n }\n"

static char home[4096], vgraft[4200];

#define COMMAND                                                                                    \
	"{\"directory\": \"%s\", \"file\": \"%s.c\", \"command\": \"gcc -O2 -g -I%s/include -c "   \
	"%s.c -o %s.o\"}"

bool vg_hook_case_find_tool(void)
{
	char build_folder[4096];

	if (!getcwd(home, sizeof(home)) || !realpath(vg_build_folder(), build_folder))
		return false;
	snprintf(vgraft, sizeof(vgraft), "%s/vgraft", build_folder);
	return true;
}

const char *vg_hook_case_tool(void)
{
	return vgraft;
}

void vg_hook_case_enter(void)
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

int vg_hook_case_build(const char *name, const char *options, char **text)
{
	return vg_project_output(text,
				 "%s build --source . --diff fix.diff --target program --name %s "
				 "%s -o %s.vgp 2>&1",
				 vgraft, name, options, name);
}

void vg_hook_case_must_build(const char *name, const char *hooks, const char *options)
{
	_cleanup_free_ char *file = NULL, *all = NULL, *text = NULL;

	ck_assert_int_gt(asprintf(&file, "hooks/%s.c", name), 0);
	if (hooks)
		vg_project_write(file, hooks);
	ck_assert_int_gt(
		asprintf(&all, "%s %s %s", hooks ? "--hooks" : "", hooks ? file : "", options), 0);
	ck_assert_msg(vg_hook_case_build(name, all, &text) == 0, "%s", text);
}

struct vg_process *vg_hook_case_start(void)
{
	struct vg_process *process = vg_project_start();

	vg_project_expect(process, "0\n", "price 11\n");
	return process;
}

/* Runs the verb; *text is its JSON line. */
static int run(const struct vg_process *process, const char *verb, char **text)
{
	return vg_project_output(text, "%s %s --pid %d%s --json 2>/dev/null", vgraft, verb,
				 process->pid,
				 strstr(verb, "timeout") || *verb == 's' ? "" : " --timeout 20");
}

void vg_hook_case_run(const struct vg_process *process, const char *verb, const char *result,
		      const char *says)
{
	_cleanup_free_ char *text = NULL;

	run(process, verb, &text);
	ck_assert_msg(strstr(text, result) && strstr(text, says), "%s: %s", verb, text);
}

static bool is_nth(void *context, const struct vg_killer_call *call, size_t nth)
{
	(void)call;
	return nth == *(size_t *)context;
}

bool vg_hook_case_kill_at(struct vg_process *process, const char *verb, const char *what, size_t at)
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
