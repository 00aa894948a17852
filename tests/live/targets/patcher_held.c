/* SPDX-License-Identifier: MIT */
/*
 * A target in a situation that the stop or an injected call must cope with. Its functions are those
 * of patcher_functions.h, and `busy`.
 *
 *   patcher_held SITUATION …
 *
 *   plain       one thread
 *   page        `g`: a thread waits uninterruptibly for a page that a userfaultfd holds back; `q`:
 *               it gets the page
 *   share       `g`: a process of another id shares the memory; `q`: it ends
 *   alternate N the only thread stands in a handler on an alternate stack of N KiB, which is an
 *               array in a frame of the thread's own stack
 *   worker      `g`: a thread that io_uring made waits in a read; `q`: it gets something to read
 *   traceable   whoever may trace it by its user may also by Yama
 *   policy      no memory may become executable: PR_SET_MDWE where there is one, and the seccomp
 *               filter that MemoryDenyWriteExecute= of systemd means
 *   sigreturn   a seccomp filter kills the process for an rt_sigreturn
 *   filtered    a seccomp filter that lets everything pass
 *   signals     counts the real-time signals that it gets
 *   waits       threads that wait in ppoll, pselect6, futex and clock_nanosleep
 *   storm       two threads that make a thread and wait for its end, and so on
 *   coroutines  coroutines that are made, suspended inside `busy` and ended all the time, beside a
 *               heap of 8 MiB; each lies elsewhere. `interrupted` counts those that were suspended
 * in the old `busy` while `first` was the new one spin        a thread that never leaves `busy`,
 * and two that count rounds in no changed function
 *
 * Commands: a "answers FIRST SECOND"; g "inside TID"; q "outside"; n "numbers …", see tell().
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "patcher_functions.h"

#define PAGE	     4096
#define SET_MDWE     65 /* PR_SET_MDWE, since Linux 6.3 */
#define MDWE_REFUSED 1

int busy(void);
void spin_in_busy(void);

__asm__(".text\n"
	".p2align 4\n"
	".globl busy\n.type busy, @function\n"
	"busy: .cfi_startproc\n movl $1, %eax\n subq $8, %rsp\n .cfi_adjust_cfa_offset 8\n"
	" call spin_in_busy\n addq $8, %rsp\n .cfi_adjust_cfa_offset -8\n movl $1, %eax\n ret\n"
	" .cfi_endproc\n.size busy, .-busy\n"
	/* Two bytes before the end of a page. */
	".p2align 12\n.skip 4094, 0xcc\n"
	".globl across_pages\n.type across_pages, @function\n"
	"across_pages: .cfi_startproc\n movl $1, %eax\n ret\n .cfi_endproc\n"
	".size across_pages, .-across_pages\n");

static atomic_ulong interrupted, rounds, signals;
static atomic_int inside;
static int release_pipe[2];

static void start(void *(*work)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, NULL))
		exit(1);
}

/* ---- page */

static char *held_page;
static int fault_fd;

/* The kernel reads the page for the thread, and does not let it go before it has it. */
static void *read_held_page(void *argument)
{
	char byte;
	struct iovec local = {&byte, 1}, remote = {held_page, 1};

	atomic_store(&inside, gettid());
	if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1)
		exit(1);
	atomic_store(&inside, 0);
	return argument;
}

static void hold_page(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register area;

	fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	held_page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area = (struct uffdio_register){.range = {(uintptr_t)held_page, PAGE},
					.mode = UFFDIO_REGISTER_MODE_MISSING};
	if (fault_fd < 0 || ioctl(fault_fd, UFFDIO_API, &api) ||
	    ioctl(fault_fd, UFFDIO_REGISTER, &area)) {
		printf("inside none\n");
		return;
	}
	start(read_held_page);
	while (!atomic_load(&inside))
		usleep(1000);
	printf("inside %d\n", atomic_load(&inside));
}

static void give_page(void)
{
	struct uffdio_zeropage zero = {.range = {(uintptr_t)held_page, PAGE}};

	if (ioctl(fault_fd, UFFDIO_ZEROPAGE, &zero))
		exit(1);
	while (atomic_load(&inside))
		usleep(1000);
}

/* ---- share */

static char child_stack[65536] __attribute__((aligned(16)));
static pid_t sharer;

static int wait_for_release(void *argument)
{
	char byte;

	(void)argument;
	while (read(release_pipe[0], &byte, 1) < 0)
		;
	return 0;
}

static void share_memory(void)
{
	sharer = clone(wait_for_release, child_stack + sizeof(child_stack), CLONE_VM | SIGCHLD,
		       NULL);
	printf("inside %d\n", sharer);
}

static void end_sharer(void)
{
	if (write(release_pipe[1], "x", 1) != 1 || waitpid(sharer, NULL, 0) != sharer)
		exit(1);
}

/* ---- worker */

/* A read that io_uring is told not to try at once: a worker thread waits in it. */
static void start_worker(void)
{
	static char byte;
	struct io_uring_params parameters = {0};
	int ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);
	struct io_uring_sqe *entry = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	char *queue = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring,
			   IORING_OFF_SQ_RING);

	if (ring < 0 || entry == MAP_FAILED || queue == MAP_FAILED) {
		printf("inside none\n");
		return;
	}
	*entry = (struct io_uring_sqe){.opcode = IORING_OP_READ,
				       .flags = IOSQE_ASYNC,
				       .fd = release_pipe[0],
				       .addr = (uintptr_t)&byte,
				       .len = 1};
	*(uint32_t *)(queue + parameters.sq_off.array) = 0;
	atomic_store((_Atomic uint32_t *)(queue + parameters.sq_off.tail), 1);
	printf("inside %d\n", (int)syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0));
}

static void end_worker(void)
{
	if (write(release_pipe[1], "x", 1) != 1)
		exit(1);
}

/* ---- seccomp */

static void install(struct sock_filter *code, size_t count)
{
	struct sock_fprog program = {.len = (unsigned short)count, .filter = code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
		exit(1);
}

#define NUMBER	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define ARGUMENT(i) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[i]))
#define RETURN(a)   BPF_STMT(BPF_RET | BPF_K, a)

static void deny_executable_memory(void)
{
	struct sock_filter code[] = {
		NUMBER,
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4),
		ARGUMENT(2),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_EXEC | PROT_WRITE),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROT_EXEC | PROT_WRITE, 0, 4),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 2),
		ARGUMENT(2),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_KILL_PROCESS),
	};

	prctl(SET_MDWE, MDWE_REFUSED, 0, 0, 0);
	install(code, sizeof(code) / sizeof(code[0]));
}

static void deny_sigreturn(void)
{
	struct sock_filter code[] = {
		NUMBER,
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		RETURN(SECCOMP_RET_ALLOW),
	};

	install(code, sizeof(code) / sizeof(code[0]));
}

static void allow_everything(void)
{
	struct sock_filter code[] = {RETURN(SECCOMP_RET_ALLOW)};

	install(code, 1);
}

/* ---- signals */

static void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&signals, 1);
}

static void *wait_for_signals(void *argument)
{
	for (;;)
		pause();
	return argument;
}

/* ---- waits */

static void count(long result)
{
	atomic_fetch_add(&rounds, 1);
	if (result < 0 && errno == EINTR)
		atomic_fetch_add(&interrupted, 1);
}

static void *wait_in_ppoll(void *argument)
{
	sigset_t set, now;

	sigfillset(&set);
	for (;;) {
		struct timespec time = {.tv_nsec = 7000000};

		count(ppoll(NULL, 0, &time, &set));
		pthread_sigmask(SIG_SETMASK, NULL, &now);
		if (sigismember(&now, SIGUSR1))
			count(-1); /* the mask that held for the call only is still there */
	}
	return argument;
}

static void *wait_in_pselect(void *argument)
{
	sigset_t set;

	sigfillset(&set);
	for (;;) {
		struct timespec time = {.tv_nsec = 7000000};

		count(pselect(0, NULL, NULL, NULL, &time, &set));
	}
	return argument;
}

static int futex_word;

static void *wait_in_futex(void *argument)
{
	for (;;)
		count(syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0));
	return argument;
}

static void *wake_futex(void *argument)
{
	for (;;) {
		usleep(9000);
		syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	return argument;
}

static void *wait_until(void *argument)
{
	for (;;) {
		struct timespec time;

		clock_gettime(CLOCK_MONOTONIC, &time);
		time.tv_nsec += 7000000;
		time.tv_sec += time.tv_nsec / 1000000000;
		time.tv_nsec %= 1000000000;
		errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
		count(errno ? -1 : 0);
	}
	return argument;
}

/* ---- coroutines */

#define SLOTS	    1000
#define STACK_BYTES (32 << 10)

struct coroutine {
	ucontext_t context, caller;
	int result;
	char stack[STACK_BYTES];
};

static struct coroutine *running; /* of the one thread that has them */

static void run_coroutine(void)
{
	running->result = busy();
}

/* Suspended in `busy`, called from there. */
static void suspend(void)
{
	swapcontext(&running->context, &running->caller);
}

static void make_and_end_coroutine(struct coroutine *made)
{
	getcontext(&made->context);
	made->context.uc_stack.ss_sp = made->stack;
	made->context.uc_stack.ss_size = sizeof(made->stack);
	made->context.uc_link = &made->caller;
	makecontext(&made->context, run_coroutine, 0);
	running = made;
	swapcontext(&made->caller, &made->context);
	/* The new code of `busy` does not suspend itself. */
	if (!made->result) {
		usleep(100);

		int meanwhile = first();

		swapcontext(&made->caller, &made->context);
		if (meanwhile != made->result)
			atomic_fetch_add(&interrupted, 1);
	}
	atomic_fetch_add(&rounds, 1);
	explicit_bzero(made, sizeof(*made)); /* it will not be resumed, and nobody shall think so */
}

/* What lay in a slot before is long forgotten when the slot is used again. */
static void *run_coroutines(void *argument)
{
	struct coroutine *slots = mmap(NULL, SLOTS * sizeof(*slots), PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned i = 0; slots != MAP_FAILED; i++) {
		make_and_end_coroutine(&slots[i % SLOTS]);
		usleep(200);
	}
	return argument;
}

static void fill_heap(void)
{
	static char *volatile blocks[1024];

	for (int i = 0; i < 1024; i++)
		memset(blocks[i] = malloc(8000), i, 8000);
}

/* ---- spin */

void spin_in_busy(void)
{
	if (running) {
		suspend();
		return;
	}
	atomic_store(&inside, gettid());
	for (;;)
		;
}

static void *go_busy(void *argument)
{
	busy();
	return argument;
}

static void *count_rounds(void *argument)
{
	for (;;) {
		atomic_fetch_add(&rounds, 1);
		usleep(50);
	}
	return argument;
}

/* ---- storm */

static void *nothing(void *argument)
{
	return argument;
}

static void *storm(void *argument)
{
	for (;;) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, nothing, NULL) == 0) {
			atomic_fetch_add(&rounds, 1);
			pthread_join(thread, NULL);
		}
	}
	return argument;
}

/* ---- commands */

static void tell(void)
{
	printf("numbers interrupted %lu rounds %lu signals %lu\n", atomic_load(&interrupted),
	       atomic_load(&rounds), atomic_load(&signals));
}

static void enter(const char *situation)
{
	if (!strcmp(situation, "page"))
		hold_page();
	if (!strcmp(situation, "share"))
		share_memory();
	if (!strcmp(situation, "worker"))
		start_worker();
}

static void leave(const char *situation)
{
	if (!strcmp(situation, "page"))
		give_page();
	if (!strcmp(situation, "share"))
		end_sharer();
	if (!strcmp(situation, "worker"))
		end_worker();
	printf("outside\n");
}

static const char *situation;

static void obey_all(int number)
{
	char command;
	ssize_t n;

	(void)number;
	printf("ready\n");
	fflush(stdout);
	while ((n = read(0, &command, 1)) == 1 || (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		if (command == 'a')
			printf("answers %d %d\n", first(), second());
		if (command == 'g')
			enter(situation);
		if (command == 'q')
			leave(situation);
		if (command == 'n')
			tell();
		fflush(stdout);
	}
}

/* Live words on both sides of the alternate stack tell whether somebody wrote past its end. */
static void obey_on_alternate_stack(size_t kibibytes)
{
	volatile struct {
		uint64_t below[64];
		char stack[256 << 10];
	} frame;
	stack_t alternate = {.ss_sp = (char *)frame.stack, .ss_size = kibibytes << 10};
	struct sigaction action = {.sa_handler = obey_all, .sa_flags = SA_ONSTACK};

	for (int i = 0; i < 64; i++)
		frame.below[i] = 0x1234567800000000u + (unsigned)i;
	if (kibibytes > 256 || sigaltstack(&alternate, NULL) || sigaction(SIGUSR1, &action, NULL))
		exit(1);
	raise(SIGUSR1);
	for (int i = 0; i < 64; i++)
		if (frame.below[i] != 0x1234567800000000u + (unsigned)i)
			_exit(3);
	_exit(0);
}

static void set_up(void)
{
	struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};

	if (!strcmp(situation, "traceable"))
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
	if (!strcmp(situation, "policy"))
		deny_executable_memory();
	if (!strcmp(situation, "sigreturn"))
		deny_sigreturn();
	if (!strcmp(situation, "filtered"))
		allow_everything();
	if (!strcmp(situation, "signals")) {
		sigaction(SIGRTMIN, &action, NULL);
		start(wait_for_signals);
		start(wait_for_signals);
	}
	if (!strcmp(situation, "waits")) {
		start(wait_in_ppoll);
		start(wait_in_pselect);
		start(wait_in_futex);
		start(wake_futex);
		start(wait_until);
	}
	if (!strcmp(situation, "coroutines")) {
		fill_heap();
		start(run_coroutines);
	}
	if (!strcmp(situation, "storm")) {
		start(storm);
		start(storm);
	}
	if (!strcmp(situation, "spin")) {
		start(go_busy);
		start(count_rounds);
		start(count_rounds);
		while (!atomic_load(&inside))
			usleep(1000);
	}
}

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc < 2 || pipe2(release_pipe, O_CLOEXEC))
		return 2;
	situation = argv[1];
	set_up();
	if (!strcmp(situation, "alternate"))
		obey_on_alternate_stack(strtoul(argv[2], NULL, 10));
	obey_all(0);
	return 0;
}
