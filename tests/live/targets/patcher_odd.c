/* SPDX-License-Identifier: MIT */
/*
 * A target with memory or threads as few programs have them. Its functions are those of
 * patcher_functions.h.
 *
 *   patcher_odd SITUATION …
 *
 *   lazy    a thread stands on a small stack of its own; behind that memory begins whose pages
 *           another thread gives when they are touched, which half of them were
 *   guard   a thread stands on such a stack, amid guard regions; so does its first stack
 *   locked  all memory that there is, and that there will be, is locked
 *   leader  the first thread has ended
 *   copied  its code was copied to memory of no file, which lies where the file's code lay
 *   exec    one of many threads calls exec as soon as the first ones are traced: "executed"
 *
 * Prints "ready", or "ready without" if the kernel has no such thing. Command: a "answers FIRST
 * SECOND".
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "patcher_functions.h"

#define PAGE	      UINT64_C(4096)
#define SMALL_PAGES   4
#define REGION_PAGES  64
#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL, since Linux 6.13 */
#define IS_GUARD      (UINT64_C(1) << 58)

static char *region;
static int fault_fd, standing[2];
static bool can_stand = true;

static void start(void *(*work)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, NULL))
		exit(1);
}

static void stand(void)
{
	if (write(standing[1], "x", 1) != 1)
		exit(1);
	for (;;)
		pause();
}

/* On the first pages of the region. */
static void *stand_on_small_stack(void *argument)
{
	ucontext_t context;

	getcontext(&context);
	context.uc_stack.ss_sp = region;
	context.uc_stack.ss_size = SMALL_PAGES * PAGE;
	context.uc_link = NULL;
	makecontext(&context, stand, 0);
	setcontext(&context);
	return argument;
}

static void start_standing(void *(*work)(void *))
{
	char byte;

	start(work);
	if (can_stand && read(standing[0], &byte, 1) != 1)
		exit(1);
}

static void map_region(void)
{
	region = mmap(NULL, REGION_PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (region == MAP_FAILED || pipe2(standing, O_CLOEXEC))
		exit(1);
}

/* ---- lazy */

static void *give_pages(void *argument)
{
	struct uffd_msg message;

	while (read(fault_fd, &message, sizeof(message)) == sizeof(message)) {
		struct uffdio_zeropage zero = {
			.range = {message.arg.pagefault.address & -PAGE, PAGE}};

		if (ioctl(fault_fd, UFFDIO_ZEROPAGE, &zero))
			exit(1);
	}
	return argument;
}

static void be_lazy(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register area = {.mode = UFFDIO_REGISTER_MODE_MISSING};

	map_region();
	area.range = (struct uffdio_range){(uintptr_t)region + SMALL_PAGES * PAGE,
					   (REGION_PAGES - SMALL_PAGES) * PAGE};
	fault_fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	can_stand = fault_fd >= 0 && !ioctl(fault_fd, UFFDIO_API, &api) &&
		    !ioctl(fault_fd, UFFDIO_REGISTER, &area);
	if (!can_stand)
		return;
	start(give_pages);
	for (size_t i = SMALL_PAGES + 1; i < REGION_PAGES; i += 2)
		memset(region + i * PAGE, (int)i, PAGE);
	start_standing(stand_on_small_stack);
}

/* ---- guard */

/* Kernels before 6.15 have guard regions, but do not tell where. */
static bool is_guard(const void *page)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)page / PAGE * sizeof(entry))) !=
	    sizeof(entry))
		exit(1);
	close(fd);
	return entry & IS_GUARD;
}

/* As glibc makes stacks since 2.42: the guard is a part of the mapping. */
static void *stand_amid_guards(void *argument)
{
	pthread_attr_t attributes;
	void *stack;
	size_t bytes;

	pthread_getattr_np(pthread_self(), &attributes);
	pthread_attr_getstack(&attributes, &stack, &bytes);
	madvise(stack, 4 * PAGE, GUARD_INSTALL);
	madvise(region + SMALL_PAGES * PAGE * 2, 4 * PAGE, GUARD_INSTALL);
	return stand_on_small_stack(argument);
}

static void be_guarded(void)
{
	char *last;

	map_region();
	last = region + (REGION_PAGES - 1) * PAGE;
	memset(region, 1, REGION_PAGES * PAGE);
	can_stand = !madvise(last, PAGE, GUARD_INSTALL) && is_guard(last);
	if (can_stand)
		start_standing(stand_amid_guards);
}

/* ---- copied */

extern char _init[], etext[];

static void copy_code(void)
{
	char *code = _init - (uintptr_t)_init % PAGE;
	size_t bytes = (size_t)(etext - code + PAGE - 1) / PAGE * PAGE;
	void *copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(copy, code, bytes);
	if (mprotect(copy, bytes, PROT_READ | PROT_EXEC) ||
	    mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, code) == MAP_FAILED)
		exit(1);
}

/* ---- exec */

#define SLEEPERS 300

static atomic_int first_sleeper;

static void *sleep_forever(void *argument)
{
	int none = 0;

	atomic_compare_exchange_strong(&first_sleeper, &none, gettid());
	for (;;)
		pause();
	return argument;
}

static bool is_traced(int tid)
{
	char path[64], text[1024] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		exit(1);
	close(fd);
	return !strstr(text, "TracerPid:\t0\n");
}

static void *exec_when_traced(void *argument)
{
	char *argv[] = {"patcher_odd", "executed", NULL};

	while (!is_traced(first_sleeper))
		;
	execv("/proc/self/exe", argv);
	exit(1);
	return argument;
}

static void start_many(void)
{
	start(sleep_forever);
	while (!first_sleeper)
		usleep(1000);
	for (int i = 1; i < SLEEPERS; i++)
		start(sleep_forever);
	start(exec_when_traced);
}

/* ---- commands */

static void *obey(void *argument)
{
	char command;

	puts(can_stand ? "ready" : "ready without");
	fflush(stdout);
	while (read(0, &command, 1) == 1) {
		if (command == 'a')
			printf("answers %d %d\n", first(), second());
		fflush(stdout);
	}
	exit(0);
	return argument;
}

int main(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc < 2)
		return 2;
	if (!strcmp(argv[1], "lazy"))
		be_lazy();
	if (!strcmp(argv[1], "guard"))
		be_guarded();
	if (!strcmp(argv[1], "locked"))
		can_stand = !mlockall(MCL_CURRENT | MCL_FUTURE);
	if (!strcmp(argv[1], "copied"))
		copy_code();
	if (!strcmp(argv[1], "exec"))
		start_many();
	if (!strcmp(argv[1], "executed"))
		puts(argv[1]);
	if (!strcmp(argv[1], "leader")) {
		start(obey);
		pthread_exit(NULL);
	}
	obey(NULL);
	return 0;
}
