/* SPDX-License-Identifier: MIT */
/* The situations with coroutines, for stack_target.c. */
#ifndef TESTS_LIVE_TARGETS_STACK_COROUTINES_H
#define TESTS_LIVE_TARGETS_STACK_COROUTINES_H

#define CO_STACK (64 * 1024)

static ucontext_t *main_context, *co_context;
static ucontext_t static_contexts[2];
static char static_stack[CO_STACK] __attribute__((aligned(16)));

KEEP static void yield(void)
{
	swapcontext(co_context, main_context);
	BARRIER;
}

KEEP static void resume(void)
{
	swapcontext(main_context, co_context);
	BARRIER;
}

static void make(void *stack, void (*function)(void))
{
	getcontext(co_context);
	co_context->uc_stack.ss_sp = stack;
	co_context->uc_stack.ss_size = CO_STACK;
	co_context->uc_link = main_context;
	makecontext(co_context, function, 0);
}

static void make_static(void (*function)(void))
{
	main_context = &static_contexts[0];
	co_context = &static_contexts[1];
	make(static_stack, function);
}

static void make_on_heap(void (*function)(void))
{
	main_context = malloc(sizeof(ucontext_t));
	co_context = malloc(sizeof(ucontext_t));
	make(malloc(CO_STACK), function);
}

static void make_mapped(void (*function)(void))
{
	main_context = malloc(sizeof(ucontext_t));
	co_context = malloc(sizeof(ucontext_t));
	make(mmap(NULL, CO_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     function);
}

KEEP static void yield_in_changed(void)
{
	changed(yield);
	BARRIER;
}

KEEP static void yield_without_cfi(void)
{
	call_without_cfi(yield);
	BARRIER;
}

KEEP static void yield_without_cfi_in_changed(void)
{
	changed(yield_without_cfi);
	BARRIER;
}

KEEP static void yield_over_leftovers(void)
{
	volatile char array[4096];

	__asm__ volatile("" : : "r"(array) : "memory");
	yield();
	BARRIER;
}

KEEP static void leave_and_yield(void)
{
	deep_then_back(4);
	yield_over_leftovers();
	BARRIER;
}

static void co_static(void)
{
	make_static(yield_in_changed);
	resume();
	wait_here();
}

static void co_heap(void)
{
	make_on_heap(yield_in_changed);
	resume();
	wait_here();
}

static void co_mapped(void)
{
	make_mapped(yield_in_changed);
	resume();
	wait_here();
}

/* Contexts and stack are local variables of a function that is still running. */
KEEP static void co_in_frame(void)
{
	char stack[CO_STACK] __attribute__((aligned(16)));
	ucontext_t contexts[2];

	main_context = &contexts[0];
	co_context = &contexts[1];
	make(stack, yield_in_changed);
	resume();
	wait_here();
	BARRIER;
}

static void co_without_cfi(void)
{
	make_mapped(yield_without_cfi_in_changed);
	resume();
	wait_here();
}

static void co_leftovers(void)
{
	make_mapped(leave_and_yield);
	resume();
	wait_here();
}

KEEP static void raise_in_changed(void)
{
	changed(raise_here);
	BARRIER;
}

/* Three stacks: the thread's, the coroutine's, and that of the handler that interrupted it. */
static void co_under_signal(void)
{
	install_on_other_stack();
	make_mapped(raise_in_changed);
	resume();
}

static void co_under_signal_elsewhere(void)
{
	install_on_other_stack();
	make_mapped(raise_here);
	resume();
}

/* It was suspended in the changed function once, went on and returned. */
static void co_finished(void)
{
	make_mapped(yield_in_changed);
	resume();
	resume();
	wait_here();
}

/* Alone in its section, so that the range begins at its entry. */
extern char __start_changed_entry[], __stop_changed_entry[];

KEEP __attribute__((section("changed_entry"))) static void changed_coroutine(void)
{
	yield();
	BARRIER;
}

static void make_changed_coroutine(void)
{
	range_start = __start_changed_entry;
	range_end = __stop_changed_entry;
	make_mapped(changed_coroutine);
}

static void co_not_started(void)
{
	make_changed_coroutine();
	wait_here();
}

static void co_just_started(void)
{
	make_changed_coroutine();
	resume();
	wait_here();
}

/* The thread waits in a coroutine; who resumed it is in the changed function. */
static void co_caller_in_changed(void)
{
	make_mapped(wait_here);
	changed(resume);
}

static void co_runs_over_clean_caller(void)
{
	make_mapped(wait_here);
	resume();
}

/* The own stack of the thread is full of stale addresses, below what is suspended there. */
static void co_runs_over_leftovers(void)
{
	make_mapped(wait_here);
	deep_then_back(4);
	resume();
}

/* Another thread's coroutine, while that thread waits elsewhere. */
static void co_of_thread(void)
{
	run_in_thread(co_mapped);
}

/* Coroutines as QEMU makes them: ucontext for the first entry, sigsetjmp for every switch, and a
 * pool in which a finished one waits for its next function. */
struct pooled {
	sigjmp_buf env;
	void (*function)(void);
};
static struct pooled *coroutine, leader;

KEEP static void switch_to(struct pooled *from, struct pooled *to)
{
	if (!sigsetjmp(from->env, 0))
		siglongjmp(to->env, 1);
	BARRIER;
}

static void pooled_main(void)
{
	sigjmp_buf *back = (sigjmp_buf *)main_context;

	if (!sigsetjmp(coroutine->env, 0))
		siglongjmp(*back, 1);
	for (;;) {
		coroutine->function();
		switch_to(coroutine, &leader);
	}
}

KEEP static void make_pooled(void)
{
	ucontext_t here, there;
	sigjmp_buf back;

	coroutine = calloc(1, sizeof(*coroutine));
	co_context = &there;
	make(mmap(NULL, CO_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
	     pooled_main);
	main_context = (ucontext_t *)&back;
	if (!sigsetjmp(back, 0))
		swapcontext(&here, &there);
}

KEEP static void pooled_yield(void)
{
	switch_to(coroutine, &leader);
}

KEEP static void pooled_yield_in_changed(void)
{
	changed(pooled_yield);
	BARRIER;
}

KEEP static void pooled_work_in_changed(void)
{
	changed(nothing);
	BARRIER;
}

static void start_pooled(void (*function)(void))
{
	make_pooled();
	coroutine->function = function;
	switch_to(&leader, coroutine);
}

static void pooled_in_changed(void)
{
	start_pooled(pooled_yield_in_changed);
	wait_here();
}

static void pooled_idle(void)
{
	start_pooled(pooled_work_in_changed);
	wait_here();
}

static void pooled_resumed(void)
{
	start_pooled(pooled_yield_in_changed);
	switch_to(&leader, coroutine); /* it leaves the changed function and goes to the pool */
	wait_here();
}

/* Coroutines on alternate signal stacks. */
static volatile int is_made;

static void signal_coroutine(int signal_number)
{
	(void)signal_number;
	if (!sigsetjmp(coroutine->env, 0)) {
		is_made = 1;
		return;
	}
	for (;;) {
		coroutine->function();
		switch_to(coroutine, &leader);
	}
}

static void start_on_signal_stack(void (*function)(void))
{
	struct sigaction action = {.sa_handler = signal_coroutine, .sa_flags = SA_ONSTACK};
	stack_t stack = {.ss_size = CO_STACK}, none = {.ss_flags = SS_DISABLE};

	coroutine = calloc(1, sizeof(*coroutine));
	coroutine->function = function;
	stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
	sigaltstack(&none, NULL);
	switch_to(&leader, coroutine);
}

static void signal_stack_in_changed(void)
{
	start_on_signal_stack(pooled_yield_in_changed);
	wait_here();
}

/* A jmp_buf outlives the function that filled it. */
static jmp_buf escape;

CHANGED static void changed_with_setjmp(void)
{
	if (!setjmp(escape))
		nothing();
	BARRIER;
}

static void stale_jmp_buf(void)
{
	changed_with_setjmp();
	wait_here();
}

static void stale_jmp_buf_under_live_frames(void)
{
	changed_with_setjmp();
	wait_over_leftovers();
}

#define COROUTINE_MODES                                                                            \
	{"co-static", co_static}, {"co-heap", co_heap}, {"co-mapped", co_mapped},                  \
		{"co-in-frame", co_in_frame}, {"co-without-cfi", co_without_cfi},                  \
		{"co-leftovers", co_leftovers}, {"co-under-signal", co_under_signal},              \
		{"co-under-signal-elsewhere", co_under_signal_elsewhere},                          \
		{"co-finished", co_finished}, {"co-not-started", co_not_started},                  \
		{"co-just-started", co_just_started},                                              \
		{"co-caller-in-changed", co_caller_in_changed},                                    \
		{"co-runs-over-clean-caller", co_runs_over_clean_caller},                          \
		{"co-runs-over-leftovers", co_runs_over_leftovers},                                \
		{"co-of-thread", co_of_thread}, {"pooled-in-changed", pooled_in_changed},          \
		{"pooled-idle", pooled_idle}, {"pooled-resumed", pooled_resumed},                  \
		{"signal-stack-in-changed", signal_stack_in_changed},                              \
		{"stale-jmp-buf", stale_jmp_buf},                                                  \
		{"stale-jmp-buf-under-live-frames", stale_jmp_buf_under_live_frames},

#endif
