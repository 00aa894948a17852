// SPDX-License-Identifier: MIT
/*
 * A UHCI controller driven from user space: its I/O ports, and one frame list and one transfer
 * descriptor in locked memory whose physical address /proc/self/pagemap gives. The kernel of the
 * guest has no USB driver that would mind.
 *
 * UHCI Design Guide 1.1: registers, section 2.1; frame list and transfer descriptor, chapter 3.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/qemu/guest/guest.h"

#define PAGE 4096UL

/* PCI configuration by ports (PCI Local Bus 2.3, section 3.2.2.3.2) */
#define PCI_ADDRESS    0xcf8
#define PCI_DATA       0xcfc
#define PCI_CLASS      0x08
#define PCI_COMMAND    0x04
#define PCI_BAR4       0x20
#define PCI_IO_AND_BUS 0x5 /* I/O space, bus master */
#define CLASS_UHCI     0x0c0300
#define PCI_FUNCTIONS  256 /* of bus 0 */

enum { USBCMD = 0x00, USBSTS = 0x02, FRNUM = 0x06, FLBASEADD = 0x08, PORTSC1 = 0x10 };

#define CMD_RUN		0x0001
#define CMD_HOST_RESET	0x0002
#define STS_PROCESS_ERR 0x0010 /* the controller did not like what it was given */
#define STS_ALL		0x003f
#define PORT_ENABLE	0x0004
#define PORT_RESET	0x0200

#define LINK_TERMINATE 0x1U
#define TD_ACTIVE      (1U << 23)
#define TD_LENGTH_MASK 0x7ffU
#define PID_SETUP      0x2dU
#define WAIT_TURNS     2000 /* of a millisecond */
#define FRAMES	       1024

struct descriptor {
	uint32_t link, control, token, buffer;
};

/* One page for the frame list, one for the rest: neither crosses into a page of unknown address. */
struct memory {
	uint32_t frames[FRAMES];
	struct descriptor descriptor;
	unsigned char setup[8];
};

static struct memory *memory;
static unsigned short base; /* of the registers */

static uint32_t pci_read(unsigned int function, unsigned int at)
{
	outl(1U << 31 | function << 8 | at, PCI_ADDRESS);
	return inl(PCI_DATA);
}

static void find_controller(void)
{
	if (iopl(3) != 0)
		give_up("iopl: %s", strerror(errno));
	for (unsigned int function = 0; function < PCI_FUNCTIONS && !base; function++) {
		if (pci_read(function, PCI_CLASS) >> 8 != CLASS_UHCI)
			continue;
		base = pci_read(function, PCI_BAR4) & 0xfffc;
		outl(1U << 31 | function << 8 | PCI_COMMAND, PCI_ADDRESS);
		outw(PCI_IO_AND_BUS, PCI_DATA);
	}
	if (!base)
		give_up("there is no UHCI controller");
}

static uint32_t physical(const void *address)
{
	uintptr_t at = (uintptr_t)address;
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(pagemap, &entry, sizeof(entry), (off_t)(at / PAGE * sizeof(entry))) !=
		    sizeof(entry) ||
	    !(entry >> 63))
		give_up("the physical address of a page cannot be had");
	close(pagemap);
	return (uint32_t)((entry & ((1ULL << 55) - 1)) * PAGE + at % PAGE);
}

static void prepare(void)
{
	if (base)
		return;
	find_controller();
	memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	if (memory == MAP_FAILED)
		give_up("no memory for the frame list");
}

/* Every frame leads to the one descriptor: SETUP to the endpoint of the device with address 0. */
static void describe(uint32_t endpoint)
{
	/* GET_DESCRIPTOR(device), 18 bytes: USB 2.0, section 9.4.3 */
	static const unsigned char get_descriptor[8] = {0x80, 0x06, 0x00, 0x01, 0, 0, 18, 0};

	memcpy(memory->setup, get_descriptor, sizeof(memory->setup));
	memory->descriptor = (struct descriptor){
		.link = LINK_TERMINATE,
		.control = TD_ACTIVE,
		.token = (sizeof(memory->setup) - 1) << 21 | endpoint << 15 | PID_SETUP,
		.buffer = physical(memory->setup),
	};
	for (int i = 0; i < FRAMES; i++)
		memory->frames[i] = physical(&memory->descriptor);
}

/* A port reset gives the device address 0 and its default state. */
static void reset_port(void)
{
	outw(CMD_HOST_RESET, base + USBCMD);
	usleep(1000);
	outw(PORT_RESET, base + PORTSC1);
	usleep(10000);
	outw(0, base + PORTSC1);
	outw(PORT_ENABLE, base + PORTSC1);
	outw(STS_ALL, base + USBSTS);
}

static bool is_over(void)
{
	uint32_t control = *(volatile uint32_t *)&memory->descriptor.control;

	return !(control & TD_ACTIVE) || (inw(base + USBSTS) & STS_PROCESS_ERR);
}

/* Runs the frame list until the descriptor is used up or refused; the status register. */
static unsigned int run_frames(void)
{
	outw(0, base + FRNUM);
	outl(physical(memory->frames), base + FLBASEADD);
	outw(CMD_RUN, base + USBCMD);
	for (int i = 0; i < WAIT_TURNS && !is_over(); i++)
		usleep(1000);

	unsigned int status = inw(base + USBSTS);

	outw(0, base + USBCMD);
	return status;
}

void uhci_exploit(void)
{
	prepare();
	reset_port();
	describe(1);

	unsigned int status = run_frames();

	say("vg-exploit %s status=%x", status & STS_PROCESS_ERR ? "refused" : "without effect",
	    status);
}

void uhci_transfer(void)
{
	prepare();
	reset_port();
	describe(0);

	unsigned int status = run_frames();
	uint32_t control = *(volatile uint32_t *)&memory->descriptor.control;
	bool done =
		!(control & TD_ACTIVE) && ((control + 1) & TD_LENGTH_MASK) == sizeof(memory->setup);

	say("vg-transfer %s status=%x control=%x", done ? "done" : "failed", status, control);
}
