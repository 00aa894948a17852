/* SPDX-License-Identifier: MIT */
/*
 * USB controllers driven through qtest. UHCI Design Guide 1.1; OHCI 1.0a, section 4 (descriptors)
 * and 7 (registers); USB 2.0, section 9.4.
 */
#include <string.h>

#include "common/error.h"
#include "tests/lib/qemu_migrate.h"
#include "tests/qemu/effects/effects.h"

/* ---- UHCI: the second port, since the guest's own program uses the first */

#define UHCI_ID	       0x70208086U
#define UHCI_BAR       4
#define UHCI_PORTS     0xc000
#define FRAMES	       1024
#define LINK_TERMINATE 1U
#define LINK_DEPTH     4U
#define TD_ACTIVE      (1U << 23)
#define TD_TOGGLE      (1U << 19)
#define PID_SETUP      0x2dU
#define PID_IN	       0x69U
#define STRING_ETHADDR 3 /* the index that QEMU's card gives it */

enum { USBCMD = 0x00, USBSTS = 0x02, FRNUM = 0x06, FLBASEADD = 0x08, PORTSC2 = 0x12 };
enum { DESCRIPTORS = EFFECTS_MEMORY + 0x1000, SETUP = 0x1100 + EFFECTS_MEMORY };
enum { ANSWER = EFFECTS_MEMORY + 0x1200, ANSWER_BYTES = 64 };

struct transfer {
	struct effect_stage *stage;
	uint64_t where; /* a word of memory or a register */
	uint32_t mask, wanted;
};

static bool has_value(void *argument)
{
	const struct transfer *transfer = argument;

	return (vg_qtest_readl(transfer->stage->qtest, transfer->where) & transfer->mask) ==
	       transfer->wanted;
}

static void uhci_reset_port(struct vg_qtest *qtest, uint16_t base)
{
	vg_qtest_out(qtest, base + USBCMD, 2, 0x2);
	vg_qtest_out(qtest, base + PORTSC2, 2, 0x200);
	vg_qtest_out(qtest, base + PORTSC2, 2, 0);
	vg_qtest_out(qtest, base + PORTSC2, 2, 0x4);
	vg_qtest_out(qtest, base + USBSTS, 2, 0x3f);
}

/* GET_DESCRIPTOR(string) to the device with address 0: a SETUP, and one IN for all of the answer.
 */
static void uhci_describe(struct vg_qtest *qtest)
{
	static const unsigned char setup[8] = {0x80, 6, STRING_ETHADDR, 3, 9, 4, ANSWER_BYTES, 0};
	const uint32_t descriptors[8] = {
		(DESCRIPTORS + 16) | LINK_DEPTH,
		TD_ACTIVE,
		7U << 21 | PID_SETUP,
		SETUP,
		LINK_TERMINATE,
		TD_ACTIVE,
		(ANSWER_BYTES - 1U) << 21 | TD_TOGGLE | PID_IN,
		ANSWER,
	};
	uint32_t frames[FRAMES];

	for (int i = 0; i < FRAMES; i++)
		frames[i] = DESCRIPTORS;
	vg_qtest_write(qtest, EFFECTS_MEMORY, frames, sizeof(frames));
	vg_qtest_write(qtest, DESCRIPTORS, descriptors, sizeof(descriptors));
	vg_qtest_write(qtest, SETUP, setup, sizeof(setup));
}

static struct vg_error *read_address(struct effect_stage *stage, char first[3])
{
	struct transfer transfer = {stage, DESCRIPTORS + 20, TD_ACTIVE, 0};
	unsigned char answer[8];
	unsigned int function;
	uint16_t base;

	if (!vg_qtest_find(stage->qtest, UHCI_ID, &function))
		return vg_error_new(VG_FAILED, "there is no UHCI controller");
	base = (uint16_t)vg_qtest_enable(stage->qtest, function, UHCI_BAR, UHCI_PORTS);
	uhci_reset_port(stage->qtest, base);
	uhci_describe(stage->qtest);
	vg_qtest_out(stage->qtest, base + FRNUM, 2, 0);
	vg_qtest_out(stage->qtest, base + FLBASEADD, 4, EFFECTS_MEMORY);
	vg_qtest_out(stage->qtest, base + USBCMD, 2, 1);
	VG_TRY(effect_wait(stage, has_value, &transfer, "the string descriptor"));
	vg_qtest_out(stage->qtest, base + USBCMD, 2, 0);
	vg_qtest_read(stage->qtest, ANSWER, answer, sizeof(answer));
	first[0] = (char)answer[2]; /* UTF-16 behind length and type */
	first[1] = (char)answer[4];
	first[2] = '\0';
	return NULL;
}

/* A card that is plugged now says which address it has; 40 was the flaw. */
struct vg_error *effect_usb_net_address(struct effect_stage *stage, bool *fixed)
{
	char first[3];

	VG_TRY(vg_qemu_plug(stage->qemu,
			    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "driver", "usb-net", "id",
				      "usbnet", "bus", "usb.0", "port", "2", "netdev", "idle-usb",
				      "mac", "52:54:00:12:34:56")));
	VG_TRY(read_address(stage, first));
	VG_TRY(vg_qemu_unplug(stage->qemu, "usbnet"));
	*fixed = strcmp(first, "52") == 0;
	if (!*fixed && strcmp(first, "40") != 0)
		return vg_error_new(VG_FAILED, "the card's address begins with '%s'", first);
	return NULL;
}

/* The guest's own program does it where there is a guest (tests/qemu/guest/uhci.c). */
struct vg_error *effect_uhci_exploit(struct effect_stage *stage, bool *fixed)
{
	bool aborted = false;

	VG_TRY(vg_qemu_exploit(stage->qemu, &aborted));
	*fixed = !aborted;
	return NULL;
}

/* ---- OHCI */

#define OHCI_ID	       0x003f106bU
#define OHCI_REGISTERS 0xe0000000U
#define UE	       (1U << 4) /* unrecoverable error */

enum { CONTROL = 0x04, COMMAND = 0x08, INTERRUPT = 0x0c, HCCA = 0x18, CONTROL_HEAD = 0x20 };
enum { PORT1 = 0x54 };
enum { OHCI_ED = EFFECTS_MEMORY + 0x2100, OHCI_TD = EFFECTS_MEMORY + 0x2200 };
enum { OHCI_TAIL = EFFECTS_MEMORY + 0x2240, OHCI_DATA = EFFECTS_MEMORY + 0x2300 };

/* SETUP to endpoint 1 of the device with address 0. */
static void ohci_describe(struct vg_qtest *qtest)
{
	static const unsigned char zeros[256];
	const uint32_t endpoint[4] = {8U << 16 | 1U << 7, OHCI_TAIL, OHCI_TD, 0};
	const uint32_t transfer[4] = {0xfU << 28 | 7U << 21, OHCI_DATA, OHCI_TAIL, OHCI_DATA + 7};

	vg_qtest_write(qtest, EFFECTS_MEMORY + 0x2000, zeros, sizeof(zeros));
	vg_qtest_write(qtest, OHCI_ED, endpoint, sizeof(endpoint));
	vg_qtest_write(qtest, OHCI_TD, transfer, sizeof(transfer));
	vg_qtest_write(qtest, OHCI_DATA, zeros, 8);
}

struct vg_error *effect_ohci_exploit(struct effect_stage *stage, bool *fixed)
{
	struct vg_qtest *qtest = stage->qtest;
	unsigned int function;
	uint64_t base;

	if (!vg_qtest_find(qtest, OHCI_ID, &function))
		return vg_error_new(VG_FAILED, "there is no OHCI controller");
	base = vg_qtest_enable(qtest, function, 0, OHCI_REGISTERS);
	ohci_describe(qtest);
	vg_qtest_writel(qtest, base + COMMAND, 1);
	vg_qtest_writel(qtest, base + HCCA, EFFECTS_MEMORY + 0x2000);
	vg_qtest_writel(qtest, base + CONTROL_HEAD, OHCI_ED);
	vg_qtest_writel(qtest, base + INTERRUPT, ~0U);
	vg_qtest_writel(qtest, base + CONTROL, 0x80 | 0x10);
	vg_qtest_writel(qtest, base + PORT1, 0x10);
	vg_qtest_writel(qtest, base + PORT1, 0x02);
	vg_qtest_writel(qtest, base + COMMAND, 0x2);

	struct transfer refusal = {stage, base + INTERRUPT, UE, UE};

	VG_TRY(effect_wait(stage, has_value, &refusal, "the controller to refuse"));
	*fixed = !vg_qtest_is_gone(qtest);
	return NULL;
}
