/* SPDX-License-Identifier: MIT */
/* An AHCI port driven through qtest. Serial ATA AHCI 1.3.1, sections 3.3 and 4.2. */
#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/qemu_migrate.h"
#include "tests/qemu/effects/effects.h"

#define AHCI_ID	     0x29228086U
#define BAR	     5
#define REGISTERS    0xe0300000U
#define GLOBAL	     0x04
#define IS_AHCI	     (1U << 31)
#define LIST	     (EFFECTS_MEMORY + 0x30000)
#define RECEIVED     (LIST + 0x1000)
#define TABLE	     (LIST + 0x2000)
#define DATA	     (LIST + 0x3000)
#define READ_DMA     0xc8
#define RECEIVE	     (1U << 4)
#define STARTED	     (1U << 0)
#define STATUS_READY 0x40U

/* Of the first port. */
enum { COMMAND_LIST = 0x100, RECEIVED_FIS = 0x108, COMMAND = 0x118, TASK_FILE = 0x120 };
enum { ISSUE = 0x138 };

struct port {
	struct vg_qtest *qtest;
	uint64_t base;
};

static const char *const disk[] = {
	"-blockdev", "null-co,node-name=nothing,read-zeroes=on",
	"-blockdev", "blkdebug,node-name=held,image=nothing",
	"-blockdev", "raw,node-name=plain,file=held",
	"-device",   "ich9-ahci,id=ahci",
	"-device",   "ide-hd,bus=ahci.0,drive=plain",
	NULL,
};

struct vg_error *effect_stage_ahci(struct effect_stage *stage)
{
	return effect_stage_halted(disk, stage);
}

static void set(const struct port *port, uint64_t where, uint32_t value)
{
	vg_qtest_writel(port->qtest, port->base + where, value);
}

/* One sector, as command 0 of the list. */
static void put_read(const struct port *port)
{
	static const unsigned char command[16] = {0x27, 0x80, READ_DMA, 0, 0, 0, 0, 0x40,
						  0,	0,    0,	0, 1, 0, 0, 0};
	const uint32_t head[4] = {5 | 1U << 16, 0, TABLE, 0}, region[4] = {DATA, 0, 0, 511};

	vg_qtest_write(port->qtest, LIST, head, sizeof(head));
	vg_qtest_write(port->qtest, TABLE, command, sizeof(command));
	vg_qtest_write(port->qtest, TABLE + 0x80, region, sizeof(region));
}

static struct vg_error *start_port(struct effect_stage *stage, struct port *port)
{
	unsigned int function;

	port->qtest = stage->qtest;
	if (!vg_qtest_find(port->qtest, AHCI_ID, &function))
		return vg_error_new(VG_FAILED, "there is no AHCI controller");
	port->base = vg_qtest_enable(port->qtest, function, BAR, REGISTERS);
	set(port, GLOBAL, IS_AHCI);
	set(port, COMMAND_LIST, LIST);
	set(port, RECEIVED_FIS, RECEIVED);
	set(port, COMMAND, RECEIVE);
	set(port, COMMAND, RECEIVE | STARTED);
	put_read(port);
	return NULL;
}

/* A command for blkdebug, which holds the disk's request until it is told to go on. */
static struct vg_error *debug(struct effect_stage *stage, const char *command)
{
	_cleanup_free_ char *said = NULL;

	return vg_qemu_human(stage->qemu, command, &said);
}

static bool is_over(void *argument)
{
	const struct port *port = argument;

	return vg_qtest_readl(port->qtest, port->base + TASK_FILE) & STATUS_READY;
}

/* The port is stopped and started while its read is under way: that has no command any more. */
struct vg_error *effect_ahci_restart(struct effect_stage *stage, bool *fixed)
{
	struct port port;

	VG_TRY(start_port(stage, &port));
	VG_TRY(debug(stage, "qemu-io plain \"break read_aio read\""));
	set(&port, ISSUE, 1); /* and the read is under way when this returns */
	if (is_over(&port))
		return vg_error_new(VG_FAILED, "the read is not held");
	set(&port, COMMAND, RECEIVE);
	set(&port, COMMAND, RECEIVE | STARTED);
	vg_error_free(debug(stage, "qemu-io plain \"resume read\"")); /* may be the end */
	VG_TRY(effect_wait(stage, is_over, &port, "the read"));
	*fixed = !vg_qtest_is_gone(stage->qtest);
	return NULL;
}
