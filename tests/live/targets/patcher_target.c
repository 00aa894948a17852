/* SPDX-License-Identifier: MIT */
/*
 * A target for the patcher's live tests. Its functions are those of patcher_functions.h, and
 * `busy`.
 *
 *   patcher_target POLLERS SLEEPERS READERS FUTEXES CALLERS
 *
 * makes so many threads of each kind, then obeys one-letter commands on standard input:
 *   a  "answers FIRST SECOND"  what the two functions return
 *   t  "third RESULT"  what the function of the library returns
 *   d  loads the plugin: "loaded"   D  unloads it: "unloaded"   q  "fourth RESULT": its function
 *   f  forks a child that answers `a` once, as "child FIRST SECOND", when it is told `c`
 *   s  from now on threads are born and die all the time: "storm"
 *   k  "kept VALUE": what the pointer that a patch may have stored leads to, 0 if there is none
 *   n  forgets that pointer: "forgotten"
 *   x, y, z  a thread takes that pointer into a vector register, of SSE, the upper half of one of
 *      AVX, one of AVX-512, where nothing else has it: "holding 1", or 0 if there is none
 *   l  it lets go of it: "let go"
 *   b  a thread goes into the function `busy` and stays: "busy"
 *   r  it comes out again: "released RESULT"
 *   e  "interrupted N calls M mixed K state S": EINTRs seen by the waiting threads; calls made by
 * the callers, and how many of them returned something that is neither old nor new code's value; S
 * = 0 if every thread's signal mask and vector registers are what they were v  a vfork child lives
 * until `w`: "vforked" w  "waited"
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <immintrin.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "patcher_functions.h"

int busy(void);
int third(void); /* in the library */
void wait_in_busy(void);

/* Begins with one instruction of 5 bytes, as they do. */
__asm__(".text\n"
	".p2align 4\n"
	".globl busy\n.type busy, @function\n"
	"busy: .cfi_startproc\n movl $1, %eax\n subq $8, %rsp\n .cfi_adjust_cfa_offset 8\n"
	" call wait_in_busy\n addq $8, %rsp\n .cfi_adjust_cfa_offset -8\n movl $1, %eax\n ret\n"
	" .cfi_endproc\n.size busy, .-busy\n");

static atomic_ulong interrupted, calls, mixed, damaged;
static int release_pipe[2], never_pipe[2];
static atomic_int in_busy;
int *volatile kept; /* a patch stores there where one of its variables lies */

void wait_in_busy(void)
{
	char byte;

	atomic_store(&in_busy, 1);
	while (read(release_pipe[0], &byte, 1) < 0)
		;
}

static void *go_busy(void *argument)
{
	(void)argument;
	return (void *)(intptr_t)busy();
}

static void count(long result)
{
	if (result < 0 && errno == EINTR)
		atomic_fetch_add(&interrupted, 1);
}

/* A signal mask that a thread must still have after it made calls for somebody else. */
static void set_mask(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static void check_mask(void)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	for (int i = 1; i < SIGRTMIN; i++)
		if (sigismember(&set, i) != (i == SIGUSR2))
			atomic_fetch_add(&damaged, 1);
}

static void *poll_forever(void *argument)
{
	struct pollfd pollfd = {.fd = never_pipe[0], .events = POLLIN};

	set_mask();
	for (;;) {
		count(poll(&pollfd, 1, 20));
		check_mask();
	}
	return argument;
}

static void *sleep_forever(void *argument)
{
	struct timespec time = {.tv_nsec = 20000000};

	set_mask();
	for (;;) {
		count(nanosleep(&time, NULL));
		check_mask();
	}
	return argument;
}

static void *read_forever(void *argument)
{
	char byte;

	set_mask();
	for (;;) {
		count(read(never_pipe[0], &byte, 1));
		check_mask();
	}
	return argument;
}

static void *futex_forever(void *argument)
{
	static int word;
	struct timespec time = {.tv_nsec = 30000000};

	set_mask();
	for (;;) {
		count(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0));
		check_mask();
	}
	return argument;
}

/* Registers that no call in between may touch: only what the kernel saves and restores. */
static int call_with_vectors(void)
{
	uint64_t before = 0x0123456789abcdefull, after = 0;
	int result;

	__asm__ volatile("movq %2, %%xmm13\n\t"
			 "call first\n\t"
			 "movq %%xmm13, %1\n\t"
			 : "=a"(result), "=&r"(after)
			 : "r"(before)
			 : "xmm13", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory",
			   "cc");
	if (before != after)
		atomic_fetch_add(&damaged, 1);
	return result;
}

static void *call_forever(void *argument)
{
	set_mask();
	for (;;) {
		int a = call_with_vectors();
		int b = second();

		if (a < 1 || a > 9 || b < 1 || b > 9)
			atomic_fetch_add(&mixed, 1);
		if (atomic_fetch_add(&calls, 1) % 4096 == 0)
			check_mask();
	}
	return argument;
}

static void start(int threads, void *(*work)(void *))
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 10);
	for (int i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, &attributes, work, NULL))
			exit(1);
	}
}

static pid_t vfork_pipe_child(int fd)
{
	pid_t pid = vfork();

	if (pid == 0) {
		char byte;

		while (read(fd, &byte, 1) < 0)
			;
		_exit(0);
	}
	return pid;
}

static int vfork_pipe[2];

static void *go_vfork(void *argument)
{
	pid_t pid = vfork_pipe_child(vfork_pipe[0]);

	waitpid(pid, NULL, 0);
	return argument;
}

static void filter_mmap(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
		exit(1);
}

/* With the mark of the patcher's placement: see patcher/placement.h. */
static void *map_orphan(void)
{
	uintptr_t image = (uintptr_t)first & ~0xfffffull;

	for (uintptr_t at = image - 0x4000000 + 0x57000;; at += 0x100000) {
		void *page = mmap((void *)at, 0x3000, PROT_READ | PROT_EXEC,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE,
				  -1, 0);

		if (page == (void *)at)
			return page;
	}
}

static void *nothing(void *argument)
{
	return argument;
}

static void *storm_forever(void *argument)
{
	for (;;) {
		pthread_t thread;

		if (!pthread_create(&thread, NULL, nothing, NULL))
			pthread_join(thread, NULL);
	}
	return argument;
}

/* The child has only this thread; its parent's pipes are its own. */
static int child_pipe[2];

/* ---- a pointer in nothing but a vector register */

static atomic_int vector_held, vector_released;
static pthread_t vector_holder;

/* Yields until it is released; no register has the pointer but the one that LOAD has put it into.
 */
#define HOLD(LOAD)                                                                                 \
	__asm__ volatile(LOAD "movq $0, kept(%%rip)\n\t"                                           \
			      "movl $1, %0\n"                                                      \
			      "1: movl %2, %%eax\n\t"                                              \
			      "syscall\n\t"                                                        \
			      "cmpl $0, %1\n\t"                                                    \
			      "je 1b\n\t"                                                          \
			 : "=m"(vector_held)                                                       \
			 : "m"(vector_released), "i"(SYS_sched_yield)                              \
			 : "rax", "rcx", "r11", "xmm6", "xmm7", "memory", "cc")

static void *hold_in_vector(void *argument)
{
	switch (*(char *)argument) {
	case 'x':
		HOLD("movq kept(%%rip), %%xmm7\n\t");
		break;
	case 'y':
		HOLD("vpxor %%xmm6, %%xmm6, %%xmm6\n\t"
		     "vmovq kept(%%rip), %%xmm7\n\t"
		     "vinsertf128 $1, %%xmm7, %%ymm7, %%ymm7\n\t"
		     "vinsertf128 $0, %%xmm6, %%ymm7, %%ymm7\n\t");
		break;
	default:
		HOLD("vmovq kept(%%rip), %%xmm20\n\t");
	}
	return argument;
}

static bool has_vector(char command)
{
	if (command == 'z')
		return __builtin_cpu_supports("avx512f");
	return command == 'x' || __builtin_cpu_supports("avx");
}

static void start_holder(char command)
{
	static char which;

	which = command;
	printf("holding %d\n", has_vector(command));
	if (!has_vector(command))
		return;
	atomic_store(&vector_held, 0);
	atomic_store(&vector_released, 0);
	pthread_create(&vector_holder, NULL, hold_in_vector, &which);
	while (!atomic_load(&vector_held))
		usleep(1000);
}

static void end_holder(void)
{
	atomic_store(&vector_released, 1);
	pthread_join(vector_holder, NULL);
	printf("let go\n");
}

static void fork_child(void)
{
	char byte;
	pid_t pid = fork();

	if (pid) {
		printf("forked %d\n", (int)pid);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(child_pipe[0], &byte, 1) == 1) {
		printf("child %d %d\n", first(), second());
		fflush(stdout);
	}
	_exit(0);
}

static void *plugin;
static int (*fourth)(void);

/* Beside the program. */
static void load_plugin(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

	path[n > 0 ? n : 0] = '\0';
	strcpy(strrchr(path, '/') + 1, "libpatcher_plugin.so");
	plugin = dlopen(path, RTLD_NOW);
	fourth = plugin ? (int (*)(void))(uintptr_t)dlsym(plugin, "fourth") : NULL;
	if (!fourth)
		exit(1);
}

static void obey(char command)
{
	static pthread_t thread, vforker;
	void *result;

	switch (command) {
	case 'a':
		printf("answers %d %d\n", first(), second());
		break;
	case 'b':
		pthread_create(&thread, NULL, go_busy, NULL);
		while (!atomic_load(&in_busy))
			usleep(1000);
		usleep(1000);
		printf("busy\n");
		break;
	case 'r':
		atomic_store(&in_busy, 0);
		if (write(release_pipe[1], "x", 1) != 1)
			exit(1);
		pthread_join(thread, &result);
		printf("released %d\n", (int)(intptr_t)result);
		break;
	case 'v':
		pthread_create(&vforker, NULL, go_vfork, NULL);
		usleep(50000);
		printf("vforked\n");
		break;
	case 'w':
		if (write(vfork_pipe[1], "x", 1) != 1)
			exit(1);
		pthread_join(vforker, &result);
		printf("waited\n");
		break;
	case 'd':
		load_plugin();
		printf("loaded\n");
		break;
	case 'D':
		if (dlclose(plugin))
			exit(1);
		fourth = NULL;
		printf("unloaded\n");
		break;
	case 'q':
		printf("fourth %d\n", fourth ? fourth() : 0);
		break;
	case 'k':
		printf("kept %d\n", kept ? *kept : 0);
		break;
	case 'x':
	case 'y':
	case 'z':
		start_holder(command);
		break;
	case 'l':
		end_holder();
		break;
	case 'n':
		kept = NULL;
		printf("forgotten\n");
		break;
	case 'u':
		printf("descriptor %d\n", (int)syscall(SYS_userfaultfd, O_CLOEXEC | 1));
		break;
	case 't':
		printf("third %d\n", third());
		break;
	case 's':
		start(2, storm_forever);
		printf("storm\n");
		break;
	case 'f':
		fork_child();
		break;
	case 'c':
		if (write(child_pipe[1], "x", 1) != 1)
			exit(1);
		break;
	case 'm':
		filter_mmap();
		printf("filtered\n");
		break;
	case 'p':
		printf("orphaned %p\n", map_orphan());
		break;
	case 'e':
		printf("interrupted %lu calls %lu mixed %lu damaged %lu\n",
		       atomic_load(&interrupted), atomic_load(&calls), atomic_load(&mixed),
		       atomic_load(&damaged));
		break;
	default:
		return;
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char command;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 6 || pipe2(release_pipe, O_CLOEXEC) || pipe2(never_pipe, O_CLOEXEC) ||
	    pipe2(vfork_pipe, O_CLOEXEC) || pipe2(child_pipe, O_CLOEXEC))
		return 2;
	start(atoi(argv[1]), poll_forever);
	start(atoi(argv[2]), sleep_forever);
	start(atoi(argv[3]), read_forever);
	start(atoi(argv[4]), futex_forever);
	start(atoi(argv[5]), call_forever);
	printf("ready\n");
	fflush(stdout);
	while (read(0, &command, 1) == 1)
		obey(command);
	return 0;
}
