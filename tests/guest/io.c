// SPDX-License-Identifier: MIT
/*
 * Checked disk I/O: a stream in which one lost, repeated or torn request is found.
 *
 * Up to `depth` requests are outstanding. Each slot owns every depth-th block, so that no two
 * outstanding requests touch the same block, and walks its blocks in a seeded order. One turn on a
 * block is:
 *
 *   1. read it: the last write is still what it holds   (older: a repeated write came back)
 *   2. write it with the next sequence number
 *   3. read it: the new write is what it holds          (older: the write was lost)
 *
 * A chain is header, two pieces of data cut at a seeded place, status. The guard words beside the
 * buffer, the length in the used ring and the status byte are checked as well.
 *
 * When the harness asks for a probe, one exploit runs as one more request among the outstanding
 * ones (exploit=blk-get-id, the default) or between two (exploit=config-read, features-reopen).
 *
 * Options: requests=N (0: until told to stop), seed=S, depth=N (1 to 15), blocks=N, flush=N (a
 * flush after every N turns of a slot; 0: never), wait=irq|poll.
 */
#include "tests/guest/block.h"
#include "tests/guest/disk.h"
#include "tests/guest/exploits.h"
#include "tests/guest/kernel.h"
#include "tests/guest/user.h"

#define MAX_DEPTH	 15 /* a sixteenth chain is the probe's */
#define CHAIN		 4  /* descriptors that each slot owns */
#define MAX_BLOCKS	 4096
#define GUARD_WORDS	 8
#define GUARD		 0x6472617567766721ULL
#define LOST_SECONDS	 30 /* an answer that takes longer never comes */
#define SECTORS_IN_BLOCK (BLOCK_BYTES / SECTOR_BYTES)
#define CUT_STEP	 64

enum phase { PHASE_LOOK, PHASE_WRITE, PHASE_VERIFY, PHASE_FLUSH };

struct slot {
	uint64_t guard_before[GUARD_WORDS];
	union block block;
	uint64_t guard_after[GUARD_WORDS];
	struct disk_request_header header;
	volatile uint8_t status;
	bool outstanding;
	enum phase phase;
	uint64_t number; /* the block that this turn is on */
	uint64_t turns;
	uint64_t since; /* TSC when it was offered */
};

static struct stream {
	struct disk disk;
	struct meter meter;
	uint64_t depth, blocks, wanted, seed, flush_every, random;
	uint64_t sequence;
	bool polling;
	bool probing;				/* the probe's chain is outstanding */
	void (*probe)(const struct disk *disk); /* NULL: a request of its own */
	bool broken; /* a request is lost: its buffers belong to the device for good */
	struct slot slots[MAX_DEPTH];
	uint64_t written[MAX_BLOCKS]; /* sequence number of each block's last write; 0: none yet */
} stream;

static struct vg_report_io *counters(void)
{
	return &report()->io;
}

static void count(uint64_t *counter)
{
	VG_REPORT_SET(*counter, *counter + 1);
}

static void note_fault(enum vg_report_fault fault, const struct slot *slot, uint64_t found)
{
	struct vg_report_io *io = counters();

	count(fault == VG_FAULT_LOST	   ? &io->lost
	      : fault == VG_FAULT_CORRUPT  ? &io->corrupt
	      : fault == VG_FAULT_REPEATED ? &io->repeated
					   : &io->refused);
	if (io->fault)
		return;
	io->fault = fault;
	io->fault_block = slot->number;
	io->fault_expected = stream.written[slot->number];
	io->fault_found = found;
}

static uint32_t data_bytes(const struct slot *slot)
{
	return slot->phase == PHASE_FLUSH ? 0 : BLOCK_BYTES;
}

static uint32_t device_writes(const struct slot *slot)
{
	return (slot->header.type == BLK_READ ? BLOCK_BYTES : 0) + 1;
}

static void describe(struct slot *slot)
{
	struct disk *disk = &stream.disk;
	uint16_t head = (slot - stream.slots) * CHAIN;
	uint16_t flags = DESC_NEXT | (slot->header.type == BLK_READ ? DESC_WRITE : 0);
	uint32_t cut = CUT_STEP * (1 + random_next(&stream.random) % (BLOCK_BYTES / CUT_STEP - 1));
	uint16_t next = head;

	disk_describe(disk, next++, &slot->header, sizeof(slot->header), DESC_NEXT);
	if (data_bytes(slot)) {
		disk_describe(disk, next++, &slot->block, cut, flags);
		disk_describe(disk, next++, slot->block.words + cut / 8, BLOCK_BYTES - cut, flags);
	}
	disk_describe(disk, next, &slot->status, 1, DESC_WRITE);
	disk_offer(disk, head);
}

static void submit(struct slot *slot, enum phase phase)
{
	static const uint32_t types[] = {BLK_READ, BLK_WRITE, BLK_READ, BLK_FLUSH};

	slot->phase = phase;
	slot->status = BLK_PENDING;
	slot->header = (struct disk_request_header){
		.type = types[phase],
		.sector = phase == PHASE_FLUSH ? 0 : slot->number * SECTORS_IN_BLOCK,
	};
	if (phase == PHASE_WRITE) {
		stream.written[slot->number] = ++stream.sequence;
		block_fill(&slot->block, stream.seed, slot->number, stream.sequence);
	} else if (phase != PHASE_FLUSH) {
		block_poison(&slot->block);
	}
	slot->outstanding = true;
	slot->since = now();
	describe(slot);
	count(&counters()->submitted);
	VG_REPORT_SET(counters()->outstanding, counters()->outstanding + 1);
}

/* The next turn; a block that was never written in this run has nothing to look at. */
static void start_turn(struct slot *slot)
{
	uint64_t own = stream.blocks / stream.depth;

	slot->number = (slot - stream.slots) + stream.depth * (random_next(&stream.random) % own);
	submit(slot, stream.written[slot->number] ? PHASE_LOOK : PHASE_WRITE);
}

static bool flush_is_due(const struct slot *slot)
{
	return stream.flush_every && slot->turns % stream.flush_every == 0;
}

static void continue_turn(struct slot *slot)
{
	if (slot->phase == PHASE_LOOK) {
		submit(slot, PHASE_WRITE);
	} else if (slot->phase == PHASE_WRITE) {
		submit(slot, PHASE_VERIFY);
	} else if (slot->phase == PHASE_VERIFY) {
		slot->turns++;
		if (flush_is_due(slot))
			submit(slot, PHASE_FLUSH);
		else
			start_turn(slot);
	} else {
		start_turn(slot);
	}
}

static void check_read(struct slot *slot)
{
	uint64_t expected = stream.written[slot->number];
	enum block_state state = block_check(&slot->block, stream.seed, slot->number, expected);
	uint64_t found = slot->block.header.sequence;

	if (state == BLOCK_UNTOUCHED)
		note_fault(VG_FAULT_LOST, slot, 0);
	else if (state == BLOCK_OLDER)
		note_fault(slot->phase == PHASE_LOOK ? VG_FAULT_REPEATED : VG_FAULT_LOST, slot,
			   found);
	else if (state != BLOCK_GOOD)
		note_fault(VG_FAULT_CORRUPT, slot, found);
	else if (slot->phase == PHASE_VERIFY)
		VG_REPORT_SET(counters()->verified, counters()->verified + 2); /* and its write */
	else
		count(&counters()->verified);
}

static bool guards_hold(const struct slot *slot)
{
	for (int i = 0; i < GUARD_WORDS; i++)
		if (slot->guard_before[i] != GUARD || slot->guard_after[i] != GUARD)
			return false;
	return true;
}

static void note_latency(const struct slot *slot)
{
	uint64_t cycles = now() - slot->since;

	if (cycles <= counters()->max_latency_cycles)
		return;
	VG_REPORT_SET(counters()->max_latency_cycles, cycles);
	VG_REPORT_SET(counters()->max_latency_ns, to_ns(cycles));
}

static void complete(struct slot *slot, uint32_t length)
{
	slot->outstanding = false;
	VG_REPORT_SET(counters()->outstanding, counters()->outstanding - 1);
	count(&counters()->completed);
	note_latency(slot);
	if (!guards_hold(slot))
		note_fault(VG_FAULT_CORRUPT, slot, 0);
	if (slot->status == BLK_PENDING)
		note_fault(VG_FAULT_LOST, slot, 0);
	else if (slot->status != BLK_OK || length != device_writes(slot))
		note_fault(VG_FAULT_REFUSED, slot, slot->status);
	else if (slot->header.type == BLK_READ)
		check_read(slot);
	else if (slot->phase == PHASE_FLUSH)
		count(&counters()->flushes);
}

/* NULL for an id that no outstanding request has: somebody answered it twice. */
static struct slot *slot_of(uint32_t id)
{
	if (id % CHAIN || id / CHAIN >= stream.depth || !stream.slots[id / CHAIN].outstanding)
		return NULL;
	return &stream.slots[id / CHAIN];
}

static bool is_enough(void)
{
	return must_stop() || stream.broken ||
	       (stream.wanted && counters()->verified >= stream.wanted);
}

static uint16_t probe_head(void)
{
	return stream.depth * CHAIN;
}

static void answer_probe(void)
{
	stream.probing = false;
	VG_REPORT_SET(report()->exploit.probes, VG_REPORT_GET(report()->control.probe));
}

static void probe_if_asked(void)
{
	if (stream.probing || VG_REPORT_GET(report()->control.probe) == report()->exploit.probes)
		return;
	stream.probing = true;
	if (stream.probe) {
		stream.probe(&stream.disk);
		answer_probe();
	} else {
		probe_offer(&stream.disk, probe_head());
	}
}

static bool is_probe(uint32_t id)
{
	return stream.probing && id == probe_head();
}

/* Takes all answers and goes on with each slot; true if there was any. */
static bool reap(bool go_on)
{
	struct disk_used_entry entry;
	bool any = false;

	while (disk_take(&stream.disk, &entry)) {
		struct slot *slot = slot_of(entry.id);

		any = true;
		if (is_probe(entry.id)) {
			probe_judge();
			answer_probe();
			continue;
		}
		if (!slot) {
			note_fault(VG_FAULT_REPEATED, &stream.slots[0], entry.id);
			continue;
		}
		complete(slot, entry.length);
		if (go_on)
			continue_turn(slot);
	}
	return any;
}

static void publish(void)
{
	if (stream.disk.offered == stream.disk.available->index)
		return;
	count(&counters()->batches);
	disk_publish(&stream.disk);
}

static void look_for_lost(void)
{
	uint64_t limit = from_seconds(LOST_SECONDS);

	for (uint64_t i = 0; i < stream.depth; i++) {
		struct slot *slot = &stream.slots[i];

		if (!slot->outstanding || now() - slot->since < limit)
			continue;
		note_fault(VG_FAULT_LOST, slot, 0);
		slot->outstanding = false;
		stream.broken = true;
	}
}

static void wait_for_answers(void)
{
	if (stream.polling)
		relax();
	else
		disk_sleep(&stream.disk);
	VG_REPORT_SET(counters()->interrupts, kernel_disk_interrupts);
	look_for_lost();
}

static bool any_outstanding(void)
{
	for (uint64_t i = 0; i < stream.depth; i++)
		if (stream.slots[i].outstanding)
			return true;
	return false;
}

static void turn_meter(void)
{
	if (meter_reset_if_asked(&stream.meter)) {
		VG_REPORT_SET(counters()->max_latency_cycles, 0);
		VG_REPORT_SET(counters()->max_latency_ns, 0);
	}
	meter_turn(&stream.meter);
}

static void run_stream(void)
{
	for (uint64_t i = 0; i < stream.depth; i++)
		start_turn(&stream.slots[i]);
	publish();
	meter_start(&stream.meter, 0);
	while (any_outstanding() || stream.probing) {
		turn_meter();
		probe_if_asked();

		bool any = reap(!is_enough());

		publish();
		if (!any)
			wait_for_answers();
	}
}

static void prepare(void)
{
	char wait[8] = "irq", exploit[32] = "";

	option_text("wait", wait, sizeof(wait));
	option_text("exploit", exploit, sizeof(exploit));
	stream.probe = text_equal(exploit, "config-read")	? probe_config
		       : text_equal(exploit, "features-reopen") ? probe_features
								: NULL;
	stream.polling = text_equal(wait, "poll");
	stream.wanted = option_number("requests", 0);
	stream.seed = option_number("seed", 1);
	stream.random = stream.seed | 1ULL << 62;
	stream.flush_every = option_number("flush", 0);
	stream.depth = option_number("depth", 8);
	stream.blocks = option_number("blocks", 256);
	if (!disk_open(&stream.disk))
		tap_bail_out("the command line names no virtio disk");
	if (stream.blocks > stream.disk.sectors / SECTORS_IN_BLOCK)
		stream.blocks = stream.disk.sectors / SECTORS_IN_BLOCK;
	if (stream.depth < 1 || stream.depth > MAX_DEPTH || stream.blocks > MAX_BLOCKS ||
	    stream.blocks < stream.depth ||
	    stream.disk.queue_size < stream.depth * CHAIN + PROBE_DESCRIPTORS)
		tap_bail_out("depth= or blocks= does not fit the disk or its queue");
	if (!(stream.disk.features & VIRTIO_BLK_F_FLUSH))
		stream.flush_every = 0;
	for (uint64_t i = 0; i < stream.depth; i++)
		for (int j = 0; j < GUARD_WORDS; j++)
			stream.slots[i].guard_before[j] = stream.slots[i].guard_after[j] = GUARD;
	if (!stream.polling)
		disk_use_interrupts(&stream.disk);
}

void io_run(void)
{
	struct vg_report_io *io = counters();

	prepare();
	run_stream();
	print("# %u verified, %u flushes, %u batches, longest %u ns\n", io->verified, io->flushes,
	      io->batches, io->max_latency_ns);
	tap(io->verified > 0 && io->verified >= (must_stop() ? 1 : stream.wanted),
	    "requests were verified");
	tap(io->lost == 0, "no request was lost");
	tap(io->corrupt == 0, "no request was torn or misplaced");
	tap(io->repeated == 0, "no request was repeated");
	tap(io->refused == 0, "no request was refused");
	if (io->fault)
		print("# first fault: kind %u block %u expected %u found %u\n", io->fault,
		      io->fault_block, io->fault_expected, io->fault_found);
}
