/* SPDX-License-Identifier: MIT */
/*
 * The signal frame is tried on the real kernel: a child is stopped with known registers, its frame
 * is built and written, everything is then spoiled, and the child is sent to the restorer.
 */
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <immintrin.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patcher/memory.h"
#include "patcher/sigframe.h"
#include "tests/lib/suite.h"

#define ERESTARTSYS	      512
#define ERESTARTNOINTR	      513
#define ERESTARTNOHAND	      514
#define ERESTART_RESTARTBLOCK 516

void restorer(void);
__asm__(".text\n.globl restorer\nrestorer: movq $15, %rax\n syscall\n");

/* All that a thread has in vector registers; `width` bytes of each of 16. */
struct vectors {
	uint8_t values[16][32];
};

static bool has_avx(void)
{
	return __builtin_cpu_supports("avx");
}

__attribute__((target("avx"))) static void load_avx(const struct vectors *v)
{
	__asm__ volatile("vmovdqu (%0), %%ymm0\n vmovdqu 96(%0), %%ymm3\n vmovdqu 480(%0), %%ymm15"
			 :
			 : "r"(v)
			 : "memory");
}

__attribute__((target("avx"))) static void save_avx(struct vectors *v)
{
	__asm__ volatile("vmovdqu %%ymm0, (%0)\n vmovdqu %%ymm3, 96(%0)\n vmovdqu %%ymm15, 480(%0)"
			 :
			 : "r"(v)
			 : "memory");
}

/* Stops itself in between with SIGSTOP, by a bare system call that keeps vector registers. */
__attribute__((target("avx"))) static bool keeps_vectors(pid_t pid)
{
	struct vectors before = {0}, after;
	long result;

	memset(&after, 0, sizeof(after));
	for (int i = 0; i < 16; i++)
		memset(before.values[i], 0x11 * (i + 1), 32);
	load_avx(&before);
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(SYS_kill), "D"(pid), "S"(SIGSTOP)
			 : "rcx", "r11", "memory");
	save_avx(&after);
	return memcmp(before.values[0], after.values[0], 32) == 0 &&
	       memcmp(before.values[3], after.values[3], 32) == 0 &&
	       memcmp(before.values[15], after.values[15], 32) == 0;
}

/* The alternate stack and the signal mask of the child. */
static bool is_signal_state_whole(const stack_t *stack)
{
	stack_t now;
	sigset_t set;

	sigaltstack(NULL, &now);
	sigprocmask(SIG_SETMASK, NULL, &set);
	return now.ss_sp == stack->ss_sp && now.ss_flags == stack->ss_flags &&
	       sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2);
}

static void child(void)
{
	static uint8_t memory[16384];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
	sigset_t set;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	sigaltstack(&stack, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	if (!keeps_vectors(getpid()))
		_exit(1);
	_exit(is_signal_state_whole(&stack) ? 0 : 2);
}

static void expect_stop(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSTOPPED(status), "status %x", status);
}

static void spoil(pid_t pid, const struct vg_sigframe *frame, uint8_t *xstate, size_t bytes)
{
	struct user_regs_struct regs;
	uint64_t mask = ~0ull;
	struct iovec io = {.iov_base = xstate, .iov_len = bytes};

	memset(&regs, 0x5a, sizeof(regs));
	ck_assert_int_eq(ptrace(PTRACE_GETREGS, pid, NULL, &regs), 0);
	regs.rbx = regs.rbp = regs.r12 = regs.r13 = regs.r14 = regs.r15 = 0xbad;
	regs.rip = (uint64_t)(uintptr_t)restorer;
	regs.rsp = frame->address + 8; /* the restorer's address was popped by `ret` */
	regs.orig_rax = (uint64_t)-1;
	ck_assert_int_eq(ptrace(PTRACE_SETREGS, pid, NULL, &regs), 0);
	ck_assert_int_eq(ptrace(PTRACE_SETSIGMASK, pid, (void *)sizeof(mask), &mask), 0);
	memset(xstate + 160, 0x77, 256); /* xmm */
	if (bytes >= 832)
		memset(xstate + 576, 0x77, 256); /* upper halves of ymm */
	ck_assert_int_eq(ptrace(PTRACE_SETREGSET, pid, (void *)NT_X86_XSTATE, &io), 0);
}

START_TEST(sigreturn_puts_back_registers_vectors_mask_and_leaves_the_alternate_stack)
{
	uint8_t *xstate = malloc(65536);
	struct iovec io = {.iov_base = xstate, .iov_len = 65536};
	struct vg_thread_state state;
	struct vg_sigframe frame;
	struct vg_memory memory;
	int status;

	if (!has_avx())
		vg_test_skip("the CPU has no AVX");
	pid_t pid = fork();

	if (pid == 0)
		child();
	expect_stop(pid);
	ck_assert_int_eq(ptrace(PTRACE_GETREGS, pid, NULL, &state.regs), 0);
	ck_assert_int_eq(
		ptrace(PTRACE_GETSIGMASK, pid, (void *)sizeof(state.sigmask), &state.sigmask), 0);
	ck_assert_int_eq(ptrace(PTRACE_GETREGSET, pid, (void *)NT_X86_XSTATE, &io), 0);
	state.xstate = xstate;
	state.xstate_bytes = io.iov_len;
	ck_assert_ptr_null(vg_sigframe_build(&state, (uint64_t)(uintptr_t)restorer, &frame));
	ck_assert_uint_eq(frame.address % 16, 8);
	ck_assert_uint_le(frame.address + frame.count, state.regs.rsp - VG_RED_ZONE);
	ck_assert_ptr_null(vg_memory_open(pid, &memory));
	ck_assert_ptr_null(vg_memory_write(&memory, frame.address, frame.bytes, frame.count));
	vg_memory_close(&memory);
	spoil(pid, &frame, xstate, io.iov_len);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
	vg_sigframe_clear(&frame);
	free(xstate);
}
END_TEST

/* What a signal handler's return would find: restarted, or EINTR. */
static const struct {
	long error;
	bool restarted;
} restarts[] = {
	{ERESTARTSYS, true},
	{ERESTARTNOINTR, true},
	{ERESTARTNOHAND, false},
	{ERESTART_RESTARTBLOCK, false},
};

START_TEST(an_interrupted_call_goes_into_the_frame_as_for_a_signal)
{
	struct user_regs_struct regs = {
		.orig_rax = SYS_read, .rip = 0x1002, .rax = (uint64_t)-restarts[_i].error};

	vg_sigframe_restart(&regs);
	ck_assert_uint_eq(regs.rip, restarts[_i].restarted ? 0x1000 : 0x1002);
	ck_assert_int_eq((long)regs.rax, restarts[_i].restarted ? SYS_read : -EINTR);
}
END_TEST

START_TEST(a_thread_outside_of_system_calls_is_left_alone)
{
	struct user_regs_struct regs = {
		.orig_rax = (uint64_t)-1, .rip = 0x1002, .rax = (uint64_t)-ERESTARTSYS};

	vg_sigframe_restart(&regs);
	ck_assert_uint_eq(regs.rip, 0x1002);
	ck_assert_int_eq((long)regs.rax, -ERESTARTSYS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("patcher_sigframe");
	TCase *tcase = tcase_create("sigframe");

	tcase_add_test(tcase,
		       sigreturn_puts_back_registers_vectors_mask_and_leaves_the_alternate_stack);
	tcase_add_loop_test(tcase, an_interrupted_call_goes_into_the_frame_as_for_a_signal, 0, 4);
	tcase_add_test(tcase, a_thread_outside_of_system_calls_is_left_alone);
	suite_add_tcase(suite, tcase);
	return vg_suite_run(suite);
}
