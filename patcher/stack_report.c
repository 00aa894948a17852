/* SPDX-License-Identifier: MIT */
/* Turning a verdict into words: who is in the way, where, and by what chain of calls. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "patcher/stack_thread.h"

static char *thread_name(pid_t pid, pid_t tid)
{
	char path[64], *name = NULL;
	size_t room = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	if (!file || getline(&name, &room, file) < 0) {
		free(name);
		return NULL;
	}
	name[strcspn(name, "\n")] = '\0';
	return name;
}

static void add_frame(char ***frames, size_t *count, char *text)
{
	char **grown = text ? reallocarray(*frames, *count + 1, sizeof(char *)) : NULL;

	if (!grown) {
		free(text);
		return;
	}
	*frames = grown;
	grown[(*count)++] = text;
}

void stack_report_frames(const struct vg_stacks *stacks, const struct stack_chain *chain,
			 char ***frames, size_t *count)
{
	for (size_t i = 0; i < chain->kept_count; i++)
		add_frame(frames, count, unwind_modules_name(&stacks->modules, chain->kept[i]));
}

/* Best effort: without memory for it the frames keep the names they have. */
static void remember(struct vg_stacks *stacks, pid_t tid, uint64_t coroutine,
		     const struct stack_chain *chain)
{
	struct stack_trace *grown =
		reallocarray(stacks->traces, stacks->trace_count + 1, sizeof(struct stack_trace));
	if (!grown)
		return;
	stacks->traces = grown;
	grown += stacks->trace_count;
	*grown = (struct stack_trace){.tid = tid, .coroutine = coroutine};
	grown->ips = calloc(chain->kept_count + 1, sizeof(struct stack_ip));
	if (!grown->ips)
		return;
	for (size_t i = 0; i < chain->kept_count; i++)
		grown->ips[i] = (struct stack_ip){chain->kept[i], chain->kept_exact[i]};
	grown->count = chain->kept_count;
	stacks->trace_count++;
}

void stack_report_forget(struct vg_stacks *stacks)
{
	for (size_t i = 0; i < stacks->trace_count; i++)
		free(stacks->traces[i].ips);
	free(vg_take(stacks->traces));
	stacks->trace_count = 0;
}

void stack_report_blocker(struct vg_stacks *stacks, pid_t tid, uint64_t coroutine,
			  const struct stack_chain *chain, const char *function,
			  struct vg_blocker *blocker)
{
	*blocker = (struct vg_blocker){.tid = tid, .coroutine = coroutine};
	if (tid)
		blocker->name = thread_name(stacks->pid, tid);
	/* Undecided without a hit: where it is says more than nothing. */
	if (function)
		blocker->function = strdup(function);
	else if (chain)
		blocker->function = unwind_modules_name(&stacks->modules, chain->kept[0]);
	if (!chain)
		return;
	stack_report_frames(stacks, chain, &blocker->backtrace, &blocker->backtrace_count);
	remember(stacks, tid, coroutine, chain);
}

static const struct stack_trace *find_trace(const struct vg_stacks *stacks,
					    const struct vg_blocker *blocker)
{
	for (size_t i = stacks->trace_count; i-- > 0;)
		if (stacks->traces[i].tid == blocker->tid &&
		    stacks->traces[i].coroutine == blocker->coroutine)
			return &stacks->traces[i];
	return NULL;
}

void vg_stacks_name_blocker(struct vg_stacks *stacks, struct vg_blocker *blocker)
{
	const struct stack_trace *trace = find_trace(stacks, blocker);

	for (size_t i = 0; trace && i < trace->count && i < blocker->backtrace_count; i++) {
		char *name = stack_symbols_name(stacks, &trace->ips[i]);

		if (!name)
			continue;
		free(blocker->backtrace[i]);
		blocker->backtrace[i] = name;
	}
}
