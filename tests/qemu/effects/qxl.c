/* SPDX-License-Identifier: MIT */
/*
 * The qxl card, driven through qtest. Layouts are those of spice/qxl_dev.h: packed, little endian.
 * An address is a slot of memory and an offset in it.
 */
#include <string.h>

#include "common/error.h"
#include "tests/qemu/effects/effects.h"

#define QXL_ID	 0x01001b36U
#define RAM	 0xe0000000U
#define VRAM	 0xe4000000U
#define BAR_SIZE 0x4000000U /* of both */
#define ROM	 0xe8000000U
#define PORTS	 0xc100

#define ROM_RAM_HEADER	  44
#define INT_PENDING	  4
#define INT_ERROR	  8U
#define CURSOR_RING	  4640
#define RING_PRODUCED	  4
#define RING_CONSUMED	  12
#define RING_ITEMS	  20
#define MEM_SLOT	  5276
#define CREATE_SURFACE	  5292
#define COMMAND_CURSOR	  3
#define FORMAT_32	  32
#define CURSOR_SET	  0
#define CURSOR_MOVE	  1
#define SIDE		  64	     /* of the cursor, in pixels of 4 bytes */
#define COMMANDS	  0x1800000U /* offsets in the card's RAM; the screen lies below */
#define SHAPE		  (COMMANDS + 0x1000)
#define ADDRESS(slot, at) ((uint64_t)(slot) << 56 | (at))

enum { NOTIFY_CURSOR = 1, MEMSLOT_ADD = 8, CREATE_PRIMARY = 12 };
enum { RAM_SLOT = 1, VRAM_SLOT = 2 };

struct packed_chunk {
	uint32_t bytes;
	uint64_t previous, next;
	uint32_t data; /* the first */
} __attribute__((packed));

struct packed_cursor {
	uint64_t unique;
	uint16_t type, width, height, hot_x, hot_y;
	uint32_t bytes;
	struct packed_chunk chunk;
} __attribute__((packed));

struct packed_command {
	uint64_t release;
	uint8_t type;
	int16_t x, y;
	uint8_t visible;
	uint64_t shape;
	uint8_t rest[128];
} __attribute__((packed));

struct packed_item {
	uint64_t command;
	uint32_t type, unused;
} __attribute__((packed));

struct card {
	struct vg_qtest *qtest;
	uint64_t ram; /* where its header is */
	uint16_t ports;
};

static const char *const card_and_screen[] = {"-vnc", "none", "-device", "qxl-vga", NULL};

struct vg_error *effect_stage_qxl(struct effect_stage *stage)
{
	return effect_stage_halted(card_and_screen, stage);
}

static void add_slot(const struct card *card, uint8_t slot, uint64_t base)
{
	const uint64_t range[2] = {base, base + BAR_SIZE};

	vg_qtest_write(card->qtest, card->ram + MEM_SLOT, range, sizeof(range));
	vg_qtest_out(card->qtest, card->ports + MEMSLOT_ADD, 1, slot);
}

static struct vg_error *begin(struct effect_stage *stage, struct card *card)
{
	const struct {
		int32_t width, height, stride;
		uint32_t format, position, mouse, flags, type;
		uint64_t memory;
	} surface = {640, 480, 640 * 4, FORMAT_32, 0, 1, 0, 0, ADDRESS(RAM_SLOT, 0)};
	unsigned int function;

	card->qtest = stage->qtest;
	if (!vg_qtest_find(card->qtest, QXL_ID, &function))
		return vg_error_new(VG_FAILED, "there is no qxl card");
	vg_qtest_enable(card->qtest, function, 0, RAM);
	vg_qtest_enable(card->qtest, function, 1, VRAM);
	vg_qtest_enable(card->qtest, function, 2, ROM);
	card->ports = (uint16_t)vg_qtest_enable(card->qtest, function, 3, PORTS);
	card->ram = RAM + (uint64_t)vg_qtest_readl(card->qtest, ROM + ROM_RAM_HEADER);
	add_slot(card, RAM_SLOT, RAM);
	add_slot(card, VRAM_SLOT, VRAM);
	vg_qtest_write(card->qtest, card->ram + CREATE_SURFACE, &surface, sizeof(surface));
	vg_qtest_out(card->qtest, card->ports + CREATE_PRIMARY, 1, 0);
	return NULL;
}

/* A cursor of two chunks: 4 bytes, and at the end of the memory one that leads out of it. */
static void write_cursor(struct vg_qtest *qtest)
{
	const uint32_t last = BAR_SIZE - sizeof(struct packed_chunk);
	const struct packed_chunk second = {.bytes = SIDE * SIDE * 4};
	const struct packed_cursor cursor = {
		.width = SIDE,
		.height = SIDE,
		.bytes = SIDE * SIDE * 4,
		.chunk = {.bytes = 4, .next = ADDRESS(VRAM_SLOT, last)},
	};

	vg_qtest_write(qtest, VRAM + last, &second, sizeof(second));
	vg_qtest_write(qtest, RAM + SHAPE, &cursor, sizeof(cursor));
}

static void put_command(const struct card *card, unsigned int at, uint8_t type)
{
	const uint32_t where = COMMANDS + 256 * at;
	const struct packed_command command = {
		.type = type,
		.visible = 1,
		.shape = type == CURSOR_SET ? ADDRESS(RAM_SLOT, SHAPE) : 0,
	};
	const struct packed_item item = {ADDRESS(RAM_SLOT, where), COMMAND_CURSOR, 0};

	vg_qtest_write(card->qtest, RAM + where, &command, sizeof(command));
	vg_qtest_write(card->qtest, card->ram + CURSOR_RING + RING_ITEMS + at * sizeof(item), &item,
		       sizeof(item));
}

static bool is_consumed(void *argument)
{
	const struct card *card = argument;

	return vg_qtest_readl(card->qtest, card->ram + CURSOR_RING + RING_CONSUMED) == 2;
}

/* The card refuses the chunk; without the fix QEMU reads on behind the card's memory, and ends. */
struct vg_error *effect_qxl_chunk_size(struct effect_stage *stage, bool *fixed)
{
	struct card card;

	VG_TRY(begin(stage, &card));
	write_cursor(card.qtest);
	put_command(&card, 0, CURSOR_SET);
	put_command(&card, 1, CURSOR_MOVE); /* taken when the first is done */
	vg_qtest_writel(card.qtest, card.ram + CURSOR_RING + RING_PRODUCED, 2);
	vg_qtest_out(card.qtest, card.ports + NOTIFY_CURSOR, 1, 0);
	VG_TRY(effect_wait(stage, is_consumed, &card, "the card to take the cursor"));
	*fixed = vg_qtest_readl(card.qtest, card.ram + INT_PENDING) & INT_ERROR;
	return NULL;
}
