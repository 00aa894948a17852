/* SPDX-License-Identifier: MIT */
/*
 * The MP configuration table (Intel MultiProcessor Specification 1.4, chapter 4), by which a guest
 * without ACPI finds its processors and the I/O APIC. ISA interrupt N is I/O APIC pin N, edge
 * triggered, as KVM routes it; the 8259 works too, through LINT0 of the boot processor.
 */
#include "vmm/boot.h"
#include "vmm/machine.h"

#include <string.h>

#define APIC_VERSION   0x14
#define IOAPIC_VERSION 0x11
#define ISA_INTERRUPTS 16
#define CASCADE	       2 /* the slave 8259's; never an interrupt of its own */
#define ALL_APICS      0xff

enum { ENTRY_PROCESSOR, ENTRY_BUS, ENTRY_IO_APIC, ENTRY_INTERRUPT, ENTRY_LOCAL_INTERRUPT };
enum { INTERRUPT_VECTORED, INTERRUPT_NMI, INTERRUPT_SMI, INTERRUPT_EXTINT };

#define PROCESSOR_ENABLED 0x01
#define PROCESSOR_BOOT	  0x02

struct mp_pointer {
	char signature[4];
	uint32_t table;
	uint8_t length; /* in 16 bytes */
	uint8_t revision;
	uint8_t checksum;
	uint8_t features[5];
} __attribute__((packed));

struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[8];
	char product[12];
	uint32_t oem_table;
	uint16_t oem_size;
	uint16_t entries;
	uint32_t local_apic;
	uint32_t extended;
} __attribute__((packed));

struct mp_processor {
	uint8_t type;
	uint8_t apic_id;
	uint8_t apic_version;
	uint8_t flags;
	uint32_t signature;
	uint32_t features;
	uint32_t reserved[2];
} __attribute__((packed));

struct mp_bus {
	uint8_t type;
	uint8_t id;
	char name[6];
} __attribute__((packed));

struct mp_io_apic {
	uint8_t type;
	uint8_t id;
	uint8_t version;
	uint8_t flags;
	uint32_t address;
} __attribute__((packed));

struct mp_interrupt {
	uint8_t type;
	uint8_t kind;
	uint16_t flags; /* 0: as the bus has it */
	uint8_t source_bus;
	uint8_t source_irq;
	uint8_t target_apic;
	uint8_t target_pin;
} __attribute__((packed));

/* The table as it grows. Room for every processor there can be. */
struct mp_table {
	struct mp_header header;
	uint8_t entries[OPTIONS_CPUS_MAX * sizeof(struct mp_processor) + 256];
	size_t used; /* bytes of entries */
};

static void entry_add(struct mp_table *table, const void *entry, size_t size)
{
	memcpy(table->entries + table->used, entry, size);
	table->used += size;
	table->header.entries++;
}

static void processors_add(struct mp_table *table, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct mp_processor processor = {
			.type = ENTRY_PROCESSOR,
			.apic_id = (uint8_t)i,
			.apic_version = APIC_VERSION,
			.flags = PROCESSOR_ENABLED | (i == 0 ? PROCESSOR_BOOT : 0),
			.signature = 0x600, /* family 6; CPUID knows better */
			.features = 0x201,  /* FPU and APIC */
		};

		entry_add(table, &processor, sizeof(processor));
	}
}

static void io_apic_add(struct mp_table *table, uint8_t id)
{
	struct mp_bus bus = {.type = ENTRY_BUS, .name = {'I', 'S', 'A', ' ', ' ', ' '}};
	struct mp_io_apic io_apic = {
		.type = ENTRY_IO_APIC,
		.id = id,
		.version = IOAPIC_VERSION,
		.flags = 1, /* usable */
		.address = BOOT_IO_APIC,
	};

	entry_add(table, &bus, sizeof(bus));
	entry_add(table, &io_apic, sizeof(io_apic));
}

static void interrupts_add(struct mp_table *table, uint8_t io_apic)
{
	for (uint8_t irq = 0; irq < ISA_INTERRUPTS; irq++) {
		struct mp_interrupt interrupt = {
			.type = ENTRY_INTERRUPT,
			.kind = INTERRUPT_VECTORED,
			.source_irq = irq,
			.target_apic = io_apic,
			.target_pin = irq,
		};

		if (irq != CASCADE)
			entry_add(table, &interrupt, sizeof(interrupt));
	}
}

static void local_interrupts_add(struct mp_table *table)
{
	struct mp_interrupt extint = {
		.type = ENTRY_LOCAL_INTERRUPT, .kind = INTERRUPT_EXTINT, .target_apic = 0};
	struct mp_interrupt nmi = {.type = ENTRY_LOCAL_INTERRUPT,
				   .kind = INTERRUPT_NMI,
				   .target_apic = ALL_APICS,
				   .target_pin = 1};

	entry_add(table, &extint, sizeof(extint));
	entry_add(table, &nmi, sizeof(nmi));
}

static void table_fill(struct mp_table *table, unsigned cpus)
{
	uint8_t io_apic = boot_io_apic_id(cpus);

	table->header = (struct mp_header){
		.signature = {'P', 'C', 'M', 'P'},
		.revision = 4,
		.oem = {'V', 'G', 'R', 'A', 'F', 'T', ' ', ' '},
		.product = {'V', 'G', 'R', 'A', 'F', 'T', '-', 'V', 'M', 'M', ' ', ' '},
		.local_apic = BOOT_LOCAL_APIC,
	};
	processors_add(table, cpus);
	io_apic_add(table, io_apic);
	interrupts_add(table, io_apic);
	local_interrupts_add(table);
	table->header.length = (uint16_t)(sizeof(table->header) + table->used);
	table->header.checksum = boot_checksum(table, table->header.length);
}

struct vmm_error *mptable_write(const struct machine *machine)
{
	struct mp_table table = {0};
	struct mp_pointer pointer = {
		.signature = {'_', 'M', 'P', '_'},
		.table = (uint32_t)(BOOT_MPTABLE + sizeof(pointer)),
		.length = 1,
		.revision = 4,
	};

	table_fill(&table, machine->vcpu_count);
	pointer.checksum = boot_checksum(&pointer, sizeof(pointer));
	if (!guest_memory_write(&machine->memory, BOOT_MPTABLE, &pointer, sizeof(pointer)) ||
	    !guest_memory_write(&machine->memory, pointer.table, &table, table.header.length))
		return vmm_error_new(VMM_EXIT_FAILED, "no memory for the MP table");
	return NULL;
}
