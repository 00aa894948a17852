/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables (ACPI 6.4 chapter 5.2), by which a guest that does not read our command line finds
 * its disks, its serial port, and how to power off:
 *
 *   RSDP -> XSDT -> FADT -> DSDT    serial port, clock, a LNRO0005 for each disk, the S5 state
 *                -> MADT            processors, the I/O APIC
 *
 * This is a hardware-reduced platform (§4.1): there are no fixed events and so no SCI. What the
 * hardware-reduced model has instead, the board has had all along: its reset register is the
 * reset control port, and its 8-bit sleep control register (§4.8.3.7: SLP_EN in bit 5) is the
 * upper half of PM1a control (SLP_EN in bit 13).
 */
#include "vmm/aml.h"
#include "vmm/boot.h"
#include "vmm/machine.h"

#include <stdio.h>
#include <string.h>

#define TABLES_MAX 0x10000 /* up to the MP table */

/* §5.2.3.2 */
struct acpi_address {
	uint8_t space;
	uint8_t bits;
	uint8_t offset;
	uint8_t access;
	uint64_t address;
} __attribute__((packed));

#define SPACE_IO    1
#define ACCESS_BYTE 1

/* §5.2.5.3 */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

#define RSDP_OLD_BYTES 20

/* §5.2.6 */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[6];
	char oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
} __attribute__((packed));

/* §5.2.8 */
struct acpi_xsdt {
	struct acpi_header header;
	uint64_t tables[2];
} __attribute__((packed));

/* §5.2.9; what hardware-reduced platforms leave at zero has no names of its own here. */
struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs;
	uint32_t dsdt;
	uint8_t unused_1[65]; /* to offset 109 */
	uint16_t boot_architecture;
	uint8_t unused_2;
	uint32_t flags;
	struct acpi_address reset;
	uint8_t reset_value;
	uint16_t arm_boot_architecture;
	uint8_t minor_revision;
	uint64_t wide_facs;
	uint64_t wide_dsdt;
	uint8_t unused_3[96]; /* to offset 244 */
	struct acpi_address sleep_control;
	struct acpi_address sleep_status;
	char hypervisor[8];
} __attribute__((packed));

_Static_assert(offsetof(struct acpi_fadt, flags) == 112, "ACPI 6.4 table 5.9");
_Static_assert(offsetof(struct acpi_fadt, sleep_control) == 244, "ACPI 6.4 table 5.9");
_Static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 6.4 table 5.9");

/* §5.2.9.3, IAPC_BOOT_ARCH */
#define BOOT_LEGACY_DEVICES (1u << 0)
#define BOOT_8042	    (1u << 1)
#define BOOT_NO_VGA	    (1u << 2)
/* §5.2.9, table 5.10 */
#define FADT_WBINVD	      (1u << 0)
#define FADT_NO_POWER_BUTTON  (1u << 4)
#define FADT_NO_SLEEP_BUTTON  (1u << 5)
#define FADT_RESET_REGISTER   (1u << 10)
#define FADT_HEADLESS	      (1u << 12)
#define FADT_HARDWARE_REDUCED (1u << 20)

#define RESET_VALUE 0x06 /* a full reset: SYS_RST and RST_CPU */

/* §5.2.12 */
struct acpi_madt {
	struct acpi_header header;
	uint32_t local_apic;
	uint32_t flags;
} __attribute__((packed));

#define MADT_8259S 1 /* PCAT_COMPAT */

struct madt_local_apic { /* §5.2.12.2 */
	uint8_t type, length, processor, apic;
	uint32_t flags;
} __attribute__((packed));

struct madt_io_apic { /* §5.2.12.3 */
	uint8_t type, length, id, reserved;
	uint32_t address, first_interrupt;
} __attribute__((packed));

struct madt_nmi { /* §5.2.12.7 */
	uint8_t type, length, processor;
	uint16_t flags;
	uint8_t pin;
} __attribute__((packed));

enum { MADT_LOCAL_APIC = 0, MADT_IO_APIC = 1, MADT_NMI = 4 };

#define LOCAL_APIC_ENABLED 1
#define ALL_PROCESSORS	   0xff

/*
 * The tables as they grow in the guest's memory, one behind the other. Ten devices and 254
 * processors need less than 4 KiB.
 */
struct tables {
	uint8_t *bytes; /* TABLES_MAX of them */
	size_t used;
};

static uint64_t address_of(size_t offset)
{
	return BOOT_ACPI + offset;
}

/* §5.2: tables begin at a multiple of 8, the RSDP at one of 16. */
static void align(struct tables *tables)
{
	tables->used = (tables->used + 15) & ~(size_t)15;
}

static void append(struct tables *tables, const void *data, size_t size)
{
	memcpy(tables->bytes + tables->used, data, size);
	tables->used += size;
}

static struct acpi_header header_make(const char *signature, uint8_t revision)
{
	struct acpi_header header = {
		.revision = revision,
		.oem = {'V', 'G', 'R', 'A', 'F', 'T'},
		.oem_table = {'V', 'G', 'R', 'A', 'F', 'T', 'V', 'M'},
		.oem_revision = 1,
		.creator = {'V', 'G', 'R', 'A'},
		.creator_revision = 1,
	};

	memcpy(header.signature, signature, sizeof(header.signature));
	return header;
}

/* The table from `start` to the end is complete. Returns its address. */
static uint64_t table_close(struct tables *tables, size_t start)
{
	struct acpi_header *header = (struct acpi_header *)(tables->bytes + start);

	header->length = (uint32_t)(tables->used - start);
	header->checksum = boot_checksum(header, header->length);
	align(tables);
	return address_of(start);
}

static void serial_describe(struct aml *aml)
{
	size_t device = aml_begin_device(aml, "COM1");

	aml_name_string(aml, "_HID", "PNP0501"); /* 16550A-compatible */
	aml_name_integer(aml, "_UID", 0);

	size_t resources = aml_begin_resources(aml);

	aml_ports(aml, SERIAL_PORT, SERIAL_PORTS);
	aml_interrupt(aml, SERIAL_IRQ);
	aml_end_resources(aml, resources);
	aml_end(aml, device);
}

/* Without its interrupt, which is not connected. */
static void clock_describe(struct aml *aml)
{
	size_t device = aml_begin_device(aml, "RTC0");

	aml_name_string(aml, "_HID", "PNP0B00"); /* AT real-time clock */

	size_t resources = aml_begin_resources(aml);

	aml_ports(aml, RTC_PORT, RTC_PORTS);
	aml_end_resources(aml, resources);
	aml_end(aml, device);
}

/* LNRO0005 is the id that operating systems know a virtio-mmio device by. */
static void disk_describe(struct aml *aml, unsigned index)
{
	char name[8];

	snprintf(name, sizeof(name), "VR%02u", index % 100);

	size_t device = aml_begin_device(aml, name);

	aml_name_string(aml, "_HID", "LNRO0005");
	aml_name_integer(aml, "_UID", index);
	aml_name_integer(aml, "_CCA", 1); /* §6.2.17: its accesses to memory are coherent */

	size_t resources = aml_begin_resources(aml);

	aml_memory(aml, (uint32_t)machine_disk_address(index), VIRTIO_MMIO_SIZE);
	aml_interrupt(aml, machine_disk_irq(index));
	aml_end_resources(aml, resources);
	aml_end(aml, device);
}

/* §5.2.11.1. _S5 (§7.4.2.6): what goes into SLP_TYP to power off; any value does. */
static uint64_t dsdt_add(struct tables *tables, const struct machine *machine)
{
	static const uint8_t power_off[] = {5, 0, 0, 0};
	struct acpi_header header = header_make("DSDT", 2);
	size_t start = tables->used;

	append(tables, &header, sizeof(header));

	struct aml aml = {.bytes = tables->bytes, .size = TABLES_MAX, .used = tables->used};

	aml_name_package(&aml, "_S5_", power_off, sizeof(power_off));

	size_t scope = aml_begin_scope(&aml, "_SB_");

	serial_describe(&aml);
	clock_describe(&aml);
	for (unsigned i = 0; i < machine->disk_count; i++)
		disk_describe(&aml, i);
	aml_end(&aml, scope);
	tables->used = aml.used;
	return table_close(tables, start);
}

static struct acpi_address port_address(uint16_t port)
{
	return (struct acpi_address){
		.space = SPACE_IO, .bits = 8, .access = ACCESS_BYTE, .address = port};
}

static uint64_t fadt_add(struct tables *tables, uint64_t dsdt)
{
	size_t start = tables->used;
	struct acpi_fadt fadt = {
		.header = header_make("FACP", 6),
		.dsdt = (uint32_t)dsdt,
		.boot_architecture = BOOT_LEGACY_DEVICES | BOOT_8042 | BOOT_NO_VGA,
		.flags = FADT_WBINVD | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
			 FADT_RESET_REGISTER | FADT_HEADLESS | FADT_HARDWARE_REDUCED,
		.reset = port_address(POWER_RESET_PORT),
		.reset_value = RESET_VALUE,
		.minor_revision = 4,
		.wide_dsdt = dsdt,
		.sleep_control = port_address(POWER_SLEEP_CONTROL_PORT),
		.sleep_status = port_address(POWER_SLEEP_STATUS_PORT),
		.hypervisor = {'V', 'G', 'R', 'A', 'F', 'T'},
	};

	append(tables, &fadt, sizeof(fadt));
	return table_close(tables, start);
}

static void processor_add(struct tables *tables, unsigned index)
{
	struct madt_local_apic processor = {
		.type = MADT_LOCAL_APIC,
		.length = sizeof(processor),
		.processor = (uint8_t)index,
		.apic = (uint8_t)index,
		.flags = LOCAL_APIC_ENABLED,
	};

	append(tables, &processor, sizeof(processor));
}

/* ISA interrupt N is I/O APIC pin N, edge-triggered: as it is when no override says otherwise. */
static uint64_t madt_add(struct tables *tables, unsigned cpus)
{
	size_t start = tables->used;
	struct acpi_madt madt = {
		.header = header_make("APIC", 5),
		.local_apic = BOOT_LOCAL_APIC,
		.flags = MADT_8259S,
	};
	struct madt_io_apic io_apic = {
		.type = MADT_IO_APIC,
		.length = sizeof(io_apic),
		.id = boot_io_apic_id(cpus),
		.address = BOOT_IO_APIC,
	};
	struct madt_nmi nmi = {
		.type = MADT_NMI, .length = sizeof(nmi), .processor = ALL_PROCESSORS, .pin = 1};

	append(tables, &madt, sizeof(madt));
	for (unsigned i = 0; i < cpus; i++)
		processor_add(tables, i);
	append(tables, &io_apic, sizeof(io_apic));
	append(tables, &nmi, sizeof(nmi));
	return table_close(tables, start);
}

static uint64_t xsdt_add(struct tables *tables, uint64_t fadt, uint64_t madt)
{
	size_t start = tables->used;
	struct acpi_xsdt xsdt = {.header = header_make("XSDT", 1), .tables = {fadt, madt}};

	append(tables, &xsdt, sizeof(xsdt));
	return table_close(tables, start);
}

static void rsdp_set(struct tables *tables, uint64_t xsdt)
{
	struct acpi_rsdp rsdp = {
		.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
		.oem = {'V', 'G', 'R', 'A', 'F', 'T'},
		.revision = 2,
		.length = sizeof(rsdp),
		.xsdt = xsdt,
	};

	rsdp.checksum = boot_checksum(&rsdp, RSDP_OLD_BYTES);
	rsdp.extended_checksum = boot_checksum(&rsdp, sizeof(rsdp));
	memcpy(tables->bytes, &rsdp, sizeof(rsdp));
}

struct vmm_error *acpi_write(const struct machine *machine)
{
	struct tables tables = {
		.bytes = guest_memory_at(&machine->memory, BOOT_ACPI, TABLES_MAX),
		.used = sizeof(struct acpi_rsdp),
	};

	if (!tables.bytes)
		return vmm_error_new(VMM_EXIT_FAILED, "no memory for the ACPI tables");
	align(&tables);

	uint64_t dsdt = dsdt_add(&tables, machine);
	uint64_t fadt = fadt_add(&tables, dsdt);
	uint64_t madt = madt_add(&tables, machine->vcpu_count);

	rsdp_set(&tables, xsdt_add(&tables, fadt, madt));
	return NULL;
}
