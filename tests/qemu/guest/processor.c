// SPDX-License-Identifier: MIT
/*
 * What a program does that QEMU's processor does wrong without a fix, and what has the code of
 * a fix run. Intel SDM, volume 1, section 3.3.7.1: canonical addresses.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/qemu/guest/guest.h"

#define PAGE	      4096UL
#define SMI_COMMAND   0xb2
#define NON_CANONICAL 0x8000000000000000UL
#define ACCESSES      200

static sigjmp_buf fault;

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

/* Whether `act` runs to its end. */
static bool is_without_fault(void (*act)(void *), void *argument)
{
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(fault, 1) != 0)
		return false;
	act(argument);
	return true;
}

static void read_byte(void *address)
{
	(void)*(volatile char *)address;
}

/* Each time another address, so that CR2 tells of which one it is. */
void processor_fault(void)
{
	static unsigned long count;
	unsigned long address = NON_CANONICAL + ++count * PAGE;

	for (int i = 0; i < ACCESSES; i++)
		if (is_without_fault(read_byte, (void *)address))
			give_up("an address that is not canonical was read");
	say("vg-fault address=%016lx", address);
}

static unsigned char *new_code(const unsigned char *code, size_t bytes)
{
	unsigned char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		give_up("no memory for code");
	memcpy(page, code, bytes);
	return page;
}

/* A block of code that jumps to itself, and is written anew when it has run. */
void processor_rewrite(void)
{
	/* mov $1000, %ecx; 1: dec %ecx; jnz 1b; ret */
	static const unsigned char code[] = {0xb9, 0xe8, 0x03, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xc3};
	unsigned char *page = new_code(code, sizeof(code));

	for (int i = 0; i < 10; i++) {
		((void (*)(void))(uintptr_t)page)();
		memcpy(page, code, sizeof(code));
	}
	munmap(page, 2 * PAGE);
	say("vg-rewrite done");
}

static void switch_processor(const char *state)
{
	static const char path[] = "/sys/devices/system/cpu/cpu1/online";
	int file = open(path, O_WRONLY | O_CLOEXEC);

	if (file < 0 || write(file, state, 1) != 1)
		give_up("cannot write %s to %s: %s", state, path, strerror(errno));
	close(file);
}

/* The second processor goes and is started anew: INIT, SIPI (Intel SDM 3, 9.4). */
void processor_restart(void)
{
	switch_processor("0");
	switch_processor("1");
	say("vg-restart done");
}

/* Into the firmware's system management mode, and back. */
void processor_smi(void)
{
	if (iopl(3) != 0)
		give_up("iopl: %s", strerror(errno));
	outb(1, SMI_COMMAND);
	say("vg-smi done");
}
