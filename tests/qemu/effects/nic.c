/* SPDX-License-Identifier: MIT */
/*
 * Network cards driven through qtest, each looping its own frames back. Intel 82574 Datasheet,
 * sections 3.2 and 10.2; Realtek RTL8139C+ Datasheet, sections 5 and 7.
 */
#include <string.h>

#include "common/error.h"
#include "tests/qemu/effects/effects.h"

/* ---- e1000e */

#define E1000E_ID	 0x10d38086U
#define E1000E_REGISTERS 0xe0100000U
#define CAPABILITY_MSIX	 0x11
#define MSIX_ENABLE	 (1U << 31) /* in the double word that begins with the id */

enum { ICS = 0xc8, RCTL = 0x100, TCTL = 0x400, PSRCTL = 0x2170, RFCTL = 0x5008 };
enum { RDBAL = 0x2800, RDBAH = 0x2804, RDLEN = 0x2808, RDH = 0x2810, RDT = 0x2818 };
enum { TDBAL = 0x3800, TDBAH = 0x3804, TDLEN = 0x3808, TDH = 0x3810, TDT = 0x3818, TIDV = 0x3820 };
enum { TX_RING = EFFECTS_MEMORY + 0x3000, RX_RING = EFFECTS_MEMORY + 0x4000 };
enum { TX_FRAME = EFFECTS_MEMORY + 0x5000, RX_BUFFERS = EFFECTS_MEMORY + 0x8000 };

#define TX_EOP	    (1U << 24)
#define TX_RS	    (1U << 27)
#define TX_IDE	    (1U << 31)
#define CAUSE_TXQE  0x2U
#define RX_SLOTS    8
#define RX_HEAD	    6	 /* three descriptors, in units of 16 bytes: the last has the checksum */
#define FRAME_BYTES 1100 /* headers of 42 bytes, and more than the one buffer behind them holds */

static struct vg_error *e1000e_find(struct effect_stage *stage, unsigned int *function,
				    uint64_t *base)
{
	if (!vg_qtest_find(stage->qtest, E1000E_ID, function))
		return vg_error_new(VG_FAILED, "there is no e1000e card");
	*base = vg_qtest_enable(stage->qtest, *function, 0, E1000E_REGISTERS);
	return NULL;
}

/* One frame, sent at once. */
static void e1000e_send(struct vg_qtest *qtest, uint64_t base, uint32_t bytes, uint32_t flags)
{
	const uint32_t descriptor[4] = {TX_FRAME, 0, bytes | TX_EOP | flags, 0};

	vg_qtest_write(qtest, TX_RING, descriptor, sizeof(descriptor));
	vg_qtest_writel(qtest, base + TCTL, 0);
	vg_qtest_writel(qtest, base + TDBAL, TX_RING);
	vg_qtest_writel(qtest, base + TDBAH, 0);
	vg_qtest_writel(qtest, base + TDLEN, 128);
	vg_qtest_writel(qtest, base + TDH, 0);
	vg_qtest_writel(qtest, base + TDT, 0);
	vg_qtest_writel(qtest, base + TCTL, 0x2);
	vg_qtest_writel(qtest, base + TDT, 1);
}

/* The card's clock stands still meanwhile, where no guest would mind. */
static struct vg_error *set_clock(const struct effect_stage *stage, const char *command)
{
	if (stage->has_guest || vg_qtest_is_gone(stage->qtest))
		return NULL;
	return vg_qmp_ask(vg_qemu_qmp(stage->qemu), command, NULL, NULL);
}

/* An interrupt is held back while the guest goes over to MSI-X, and the next cause collects it. */
struct vg_error *effect_e1000e_delayed_causes(struct effect_stage *stage, bool *fixed)
{
	struct vg_qtest *qtest = stage->qtest;
	unsigned int function, msix;
	uint32_t head, causes;
	uint64_t base = 0;

	VG_TRY(e1000e_find(stage, &function, &base));
	msix = vg_qtest_capability(qtest, function, CAPABILITY_MSIX);
	head = vg_qtest_config(qtest, function, msix);
	vg_qtest_writel(qtest, base + TIDV, 0xffff);
	VG_TRY(set_clock(stage, "stop"));
	e1000e_send(qtest, base, 60, TX_RS | TX_IDE);
	vg_qtest_set_config(qtest, function, msix, head | MSIX_ENABLE);
	vg_qtest_writel(qtest, base + ICS, 0x1);
	causes = vg_qtest_readl(qtest, base + ICS);
	vg_qtest_set_config(qtest, function, msix, head & ~MSIX_ENABLE);
	VG_TRY(set_clock(stage, "cont"));
	*fixed = !vg_qtest_is_gone(qtest);
	if (*fixed && (!msix || !(causes & CAUSE_TXQE)))
		return vg_error_new(VG_FAILED, "the cause was not held back: %x", causes);
	return NULL;
}

/* Broadcast, IPv4 (RFC 791), UDP. */
static void write_frame(struct vg_qtest *qtest)
{
	unsigned char frame[FRAME_BYTES] = {
		[0] = 0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0xff,
		0x52,
		0x54,
		0,
		1,
		2,
		3,
		8,
		0,
		[14] = 0x45,
		0,
		(FRAME_BYTES - 14) >> 8,
		(FRAME_BYTES - 14) & 0xff,
		[22] = 64,
		17,
		[26] = 10,
		0,
		0,
		1,
		10,
		0,
		0,
		2,
		[34] = 0,
		9,
		0,
		9,
		(FRAME_BYTES - 34) >> 8,
		(FRAME_BYTES - 34) & 0xff,
	};

	vg_qtest_write(qtest, TX_FRAME, frame, sizeof(frame));
}

/* Each descriptor has 128 bytes for headers and 1024 for what follows. */
static void e1000e_receive_split(struct vg_qtest *qtest, uint64_t base)
{
	uint64_t ring[RX_SLOTS][4];

	for (unsigned int slot = 0; slot < RX_SLOTS; slot++)
		for (unsigned int i = 0; i < 4; i++)
			ring[slot][i] = RX_BUFFERS + slot * 0x4000 + i * 0x1000;
	vg_qtest_write(qtest, RX_RING, ring, sizeof(ring));
	vg_qtest_writel(qtest, base + RDBAL, RX_RING);
	vg_qtest_writel(qtest, base + RDBAH, 0);
	vg_qtest_writel(qtest, base + RDLEN, sizeof(ring));
	vg_qtest_writel(qtest, base + RDH, 0);
	vg_qtest_writel(qtest, base + RFCTL, 0x8000); /* extended descriptors */
	vg_qtest_writel(qtest, base + PSRCTL, 1 << 8 | 1);
	/* enable, promiscuous, loopback, split, broadcast */
	vg_qtest_writel(qtest, base + RCTL, 0x2 | 0x8 | 0x10 | 0x40 | 0x400 | 0x8000);
	vg_qtest_writel(qtest, base + RDT, RX_SLOTS - 1);
}

struct vg_error *effect_e1000e_receive(struct effect_stage *stage, bool *fixed)
{
	struct vg_qtest *qtest = stage->qtest;
	unsigned int function;
	uint32_t head;
	uint64_t base = 0;

	VG_TRY(e1000e_find(stage, &function, &base));
	e1000e_receive_split(qtest, base);
	write_frame(qtest);
	e1000e_send(qtest, base, FRAME_BYTES, 0);
	head = vg_qtest_readl(qtest, base + RDH);
	vg_qtest_writel(qtest, base + RCTL, 0);
	*fixed = !vg_qtest_is_gone(qtest);
	if (*fixed && head != RX_HEAD)
		return vg_error_new(VG_FAILED, "the frame's descriptors end at %u", head);
	return NULL;
}

/* ---- RTL8139, in its C+ mode, which writes the checksum of what it was given */

#define RTL8139_ID    0x813910ecU
#define RTL8139_PORTS 0xc100
#define SHORT	      20 /* bytes of a frame that must have 60 */
#define PADDED	      60

enum {
	TX_RING_LOW = 0x20,
	TX_RING_HIGH = 0x24,
	TX_POLL = 0xd9,
	CHIP = 0x37,
	TX_CONFIG = 0x40,
	RX_CONFIG = 0x44
};
enum { UNLOCK = 0x50, C_PLUS = 0xe0, RX_RING_LOW = 0xe4, RX_RING_HIGH = 0xe8 };

/* IEEE 802.3, section 3.2.9 */
static uint32_t frame_checksum(const unsigned char *data, size_t bytes)
{
	uint32_t sum = ~0U;

	for (size_t i = 0; i < bytes; i++) {
		sum ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0xedb88320U : 0);
	}
	return ~sum;
}

static void rtl8139_loop(struct vg_qtest *qtest, uint16_t base, const unsigned char *frame)
{
	/* the card's own, end of the ring, and for the sender first and last of the frame */
	const uint32_t to[4] = {3U << 30 | 2048, 0, RX_BUFFERS, 0};
	const uint32_t from[4] = {0xfU << 28 | SHORT, 0, TX_FRAME, 0};

	vg_qtest_write(qtest, RX_RING, to, sizeof(to));
	vg_qtest_write(qtest, TX_RING, from, sizeof(from));
	vg_qtest_write(qtest, TX_FRAME, frame, SHORT);
	vg_qtest_out(qtest, base + CHIP, 1, 0x10);
	vg_qtest_out(qtest, base + UNLOCK, 1, 0xc0);
	vg_qtest_out(qtest, base + C_PLUS, 2, 0x3);
	vg_qtest_out(qtest, base + RX_RING_LOW, 4, RX_RING);
	vg_qtest_out(qtest, base + RX_RING_HIGH, 4, 0);
	vg_qtest_out(qtest, base + CHIP, 1, 0x0c);
	vg_qtest_out(qtest, base + RX_CONFIG, 4, 0xf);
	vg_qtest_out(qtest, base + TX_CONFIG, 4, 3 << 17);
	vg_qtest_out(qtest, base + TX_RING_LOW, 4, TX_RING);
	vg_qtest_out(qtest, base + TX_RING_HIGH, 4, 0);
	vg_qtest_out(qtest, base + TX_POLL, 1, 0x40);
	vg_qtest_out(qtest, base + CHIP, 1, 0x10);
}

struct vg_error *effect_loopback_padding(struct effect_stage *stage, bool *fixed)
{
	unsigned char frame[PADDED] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 2};
	unsigned int function;
	uint32_t found;
	uint16_t base;

	if (!vg_qtest_find(stage->qtest, RTL8139_ID, &function))
		return vg_error_new(VG_FAILED, "there is no RTL8139 card");
	base = (uint16_t)vg_qtest_enable(stage->qtest, function, 0, RTL8139_PORTS);
	rtl8139_loop(stage->qtest, base, frame);
	found = vg_qtest_readl(stage->qtest, RX_BUFFERS + PADDED);
	*fixed = found == frame_checksum(frame, PADDED);
	if (!*fixed && found != frame_checksum(frame, SHORT))
		return vg_error_new(VG_FAILED, "the looped frame's checksum is %x", found);
	return NULL;
}
