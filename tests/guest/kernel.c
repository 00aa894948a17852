// SPDX-License-Identifier: MIT
/*
 * CPL0: what each CPU does before it enters CPL3, the system calls, interrupts and exceptions.
 * An emulated instruction costs half a microsecond here, so whatever can be done in CPL3 is.
 */
#include "tests/guest/kernel.h"
#include "tests/guest/ports.h"
#include "tests/guest/report.h"

#define COM1		 0x3f8
#define COM1_LINE_STATUS (COM1 + 5)
#define LINE_STATUS_THRE 0x20

#define LAPIC_ADDRESS	    0xfee00000
#define LAPIC_ID	    0x020
#define LAPIC_EOI	    0x0b0
#define LAPIC_SPURIOUS	    0x0f0
#define LAPIC_ICR_LOW	    0x300
#define LAPIC_LVT_TIMER	    0x320
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_DIVIDE  0x3e0

#define ICR_INIT_ALL_OTHERS 0x000c4500
#define ICR_SIPI_ALL_OTHERS (0x000c4600 | (AP_TRAMPOLINE >> 12))
#define TIMER_PERIODIC	    0x20000
#define TIMER_DIVIDE_BY_16  0x3
#define TIMER_TICK	    15625000 /* 250 ms at KVM's 1 GHz; only bounds how long a hlt lasts */

#define IOAPIC_SELECT 0xfec00000
#define IOAPIC_WINDOW 0xfec00010

#define VIRTIO_INTERRUPT_STATUS 0x60
#define VIRTIO_INTERRUPT_ACK	0x64

#define PVH_MAGIC	 0x336ec578
#define USER_STACK_BYTES 16384
#define GATE_INTERRUPT	 0x8e00
#define EXCEPTION_COUNT	 32
#define EXCEPTION_STUB	 16
#define IDT_ENTRIES	 64
#define RESET_COMMAND	 0xfe
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_STATUS	 0x64
#define KEYBOARD_IN_FULL 0x02
#define KEYBOARD_LOOKS	 1000

struct pvh_start_info {
	uint32_t magic, version, flags, modules;
	uint64_t module_list, command_line, rsdp;
};

struct gate {
	uint16_t offset_low, selector, flags_low, offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "an IDT entry is 16 bytes");

struct task_state {
	uint32_t reserved;
	uint64_t rsp0;
	uint8_t rest[88];
	uint16_t unused, io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct task_state) == 104, "a 64-bit TSS is 104 bytes");

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct exception_frame {
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern uint64_t gdt[];
extern uint32_t start_info;
extern char kernel_stacks[], ap_trampoline[], ap_trampoline_end[], exception_stubs[];
void disk_interrupt(void);
void timer_interrupt(void);
void spurious_interrupt(void);
void enter_user(uint64_t cpu, void (*entry)(uint64_t), void *stack) __attribute__((noreturn));

void kernel_start(uint32_t cpu) __attribute__((noreturn));
uint64_t kernel_call_entry(uint64_t a, uint64_t b, enum kernel_call number);
void kernel_disk_interrupt(void);
void kernel_timer_interrupt(void);
void kernel_exception(const struct exception_frame *frame) __attribute__((noreturn));

char kernel_command_line[COMMAND_LINE_BYTES];
uint64_t kernel_tsc_khz;
volatile uint64_t kernel_disk_interrupts;

static struct gate idt[IDT_ENTRIES] __attribute__((aligned(16)));
static struct task_state task_states[MAX_CPUS] __attribute__((aligned(128)));
static char user_stacks[MAX_CPUS][USER_STACK_BYTES] __attribute__((aligned(16)));
static uint64_t disk_registers;

static volatile uint32_t *mmio(uint64_t address)
{
	return (volatile uint32_t *)address;
}

static volatile uint32_t *lapic(uint32_t reg)
{
	return mmio(LAPIC_ADDRESS + reg);
}

static void write_serial(const char *text, uint64_t length)
{
	for (uint64_t i = 0; i < length; i++) {
		while (!(inb(COM1_LINE_STATUS) & LINE_STATUS_THRE))
			;
		outb(COM1, text[i]);
	}
}

/* A machine without a keyboard controller ends by a triple fault. */
static void reset_machine(void)
{
	struct table_pointer nothing = {0};

	for (int i = 0; i < KEYBOARD_LOOKS && inb(KEYBOARD_STATUS) & KEYBOARD_IN_FULL; i++)
		;
	outb(KEYBOARD_COMMAND, RESET_COMMAND);
	asm volatile("lidt %0; ud2" ::"m"(nothing));
}

static __attribute__((noreturn)) void park(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

/* The handler compares again after an interrupt, so a wake-up too many does no harm. */
static void wait_for_used(const volatile uint16_t *used, uint16_t seen)
{
	if (*used == seen)
		asm volatile("sti; hlt; cli" ::: "memory");
}

static void open_irq(uint64_t irq, uint64_t device)
{
	uint32_t id = *lapic(LAPIC_ID);

	disk_registers = device;
	*mmio(IOAPIC_SELECT) = 0x11 + 2 * irq;
	*mmio(IOAPIC_WINDOW) = id & 0xff000000;
	*mmio(IOAPIC_SELECT) = 0x10 + 2 * irq;
	*mmio(IOAPIC_WINDOW) = VECTOR_DISK; /* edge, active high, fixed, physical, unmasked */

	*lapic(LAPIC_TIMER_DIVIDE) = TIMER_DIVIDE_BY_16;
	*lapic(LAPIC_LVT_TIMER) = TIMER_PERIODIC | VECTOR_TIMER;
	*lapic(LAPIC_TIMER_INITIAL) = TIMER_TICK;
}

static void start_cpus(void)
{
	__builtin_memcpy((void *)AP_TRAMPOLINE, ap_trampoline, ap_trampoline_end - ap_trampoline);
	*lapic(LAPIC_ICR_LOW) = ICR_INIT_ALL_OTHERS;
	*lapic(LAPIC_ICR_LOW) = ICR_SIPI_ALL_OTHERS;
	*lapic(LAPIC_ICR_LOW) = ICR_SIPI_ALL_OTHERS;
}

uint64_t kernel_call_entry(uint64_t a, uint64_t b, enum kernel_call number)
{
	if (number == CALL_NOTIFY)
		*mmio(a) = b;
	else if (number == CALL_WAIT)
		wait_for_used((const volatile uint16_t *)a, b);
	else if (number == CALL_WRITE)
		write_serial((const char *)a, b);
	else if (number == CALL_OPEN_IRQ)
		open_irq(a, b);
	else if (number == CALL_START_CPUS)
		start_cpus();
	else if (number == CALL_PARK)
		park();
	else if (number == CALL_PORT_OUT)
		outb(a, b);
	else if (number == CALL_RESET)
		reset_machine();
	return 0;
}

void kernel_disk_interrupt(void)
{
	*mmio(disk_registers + VIRTIO_INTERRUPT_ACK) =
		*mmio(disk_registers + VIRTIO_INTERRUPT_STATUS);
	kernel_disk_interrupts++;
	*lapic(LAPIC_EOI) = 0;
}

void kernel_timer_interrupt(void)
{
	*lapic(LAPIC_EOI) = 0;
}

void kernel_exception(const struct exception_frame *frame)
{
	static const char text[] = "Bail out! the guest took an exception it did not expect\n";
	struct vg_report *report = (struct vg_report *)VG_REPORT_ADDRESS;

	report->fault_vector = frame->vector;
	report->fault_rip = frame->rip;
	report->fault_address = read_cr2();
	VG_REPORT_SET(report->state, VG_STATE_FAULT);
	VG_REPORT_SET(report->magic, VG_REPORT_MAGIC);
	write_serial(text, sizeof(text) - 1);
	reset_machine();
	park();
}

static void set_gate(unsigned int vector, uint64_t handler)
{
	idt[vector] = (struct gate){
		.offset_low = handler,
		.selector = SEL_CODE64,
		.flags_low = GATE_INTERRUPT,
		.offset_middle = handler >> 16,
		.offset_high = handler >> 32,
	};
}

static void fill_idt(void)
{
	for (unsigned int i = 0; i < EXCEPTION_COUNT; i++)
		set_gate(i, (uint64_t)exception_stubs + EXCEPTION_STUB * i);
	set_gate(VECTOR_DISK, (uint64_t)disk_interrupt);
	set_gate(VECTOR_TIMER, (uint64_t)timer_interrupt);
	set_gate(VECTOR_SPURIOUS, (uint64_t)spurious_interrupt);
}

static void copy_command_line(void)
{
	const struct pvh_start_info *info = (const void *)(uint64_t)start_info;

	if (info->magic != PVH_MAGIC || !info->command_line)
		return;

	const char *from = (const char *)info->command_line;

	for (unsigned int i = 0; i < COMMAND_LINE_BYTES - 1 && from[i]; i++)
		kernel_command_line[i] = from[i];
}

static void load_task_state(uint32_t cpu)
{
	uint64_t base = (uint64_t)&task_states[cpu];
	uint64_t *descriptor = &gdt[(SEL_TSS >> 3) + 2 * cpu];

	task_states[cpu].rsp0 =
		(uint64_t)kernel_stacks + ((uint64_t)(cpu + 1) << KERNEL_STACK_SHIFT);
	task_states[cpu].io_map = sizeof(struct task_state);
	descriptor[0] = (sizeof(struct task_state) - 1) | (base & 0xffffff) << 16 | 0x89ULL << 40 |
			(base >> 24 & 0xff) << 56;
	descriptor[1] = base >> 32;
	load_task_register(SEL_TSS + 16 * cpu);
}

static void load_tables(void)
{
	struct table_pointer pointer = {.limit = sizeof(idt) - 1, .base = (uint64_t)idt};

	asm volatile("lidt %0" ::"m"(pointer));
	*lapic(LAPIC_SPURIOUS) = 0x100 | VECTOR_SPURIOUS;
}

void kernel_start(uint32_t cpu)
{
	if (cpu == 0) {
		outb(0x21, 0xff); /* both 8259s masked: interrupts come through the IOAPIC */
		outb(0xa1, 0xff);
		copy_command_line();
		fill_idt();
		kernel_tsc_khz = find_tsc_khz();
	}
	load_task_state(cpu);
	load_tables();
	enter_user(cpu, user_start, user_stacks[cpu] + USER_STACK_BYTES - 8);
}
