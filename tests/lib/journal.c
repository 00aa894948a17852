/* SPDX-License-Identifier: MIT */
#include "tests/lib/journal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/process_maps.h"
#include "patcher/area.h"
#include "patcher/memory.h"
#include "patcher/stub.h"
#include "tests/lib/suite.h"
#include "tests/lib/written.h"

#define SUM_BYTES 8

static const char *const state_words[] = {
	[VGA_MAPPED] = "MAPPED",	 [VGA_READY] = "READY",
	[VGA_ARMING] = "ARMING",	 [VGA_APPLIED] = "APPLIED",
	[VGA_REVERTING] = "REVERTING",	 [VGA_DISARMED] = "DISARMED",
	[VGA_PRE_APPLY] = "PRE_APPLY",	 [VGA_POST_APPLY] = "POST_APPLY",
	[VGA_PRE_REVERT] = "PRE_REVERT", [VGA_POST_REVERT] = "POST_REVERT",
	[VGA_REPLACED] = "REPLACED",	 [VGA_RETIRED] = "RETIRED",
};

struct reading {
	struct vg_memory memory;
	FILE *out;
	crypto_generichash_state sum;
};

static void must(struct vg_error *error)
{
	ck_assert_msg(!error, "%s", vg_error_text(error));
}

/* Reads, and takes what was read into the checksum. */
static void read_summed(struct reading *reading, uint64_t address, void *buffer, size_t count)
{
	must(vg_memory_read(&reading->memory, address, buffer, count));
	crypto_generichash_update(&reading->sum, buffer, count);
}

static const char *destination(uint64_t value, uint64_t own, const char *word)
{
	return value == own ? word : "elsewhere";
}

static void describe_function(struct reading *reading, const struct vga_function *function)
{
	uint8_t entry[VGP_JUMP_BYTES], stub[VG_STUB_BYTES];
	uint64_t to = 0;
	bool armed;

	read_summed(reading, function->entry, entry, sizeof(entry));
	read_summed(reading, function->dispatcher, stub, sizeof(stub));
	armed = vg_stub_jump_target(function->entry, entry, &to);
	fprintf(reading->out, ", slot to %s, below %s, entry %s",
		function->slot == function->select
			? "select"
			: destination(function->slot, function->new_code, "new"),
		destination(function->below, function->displaced, "original"),
		armed ? destination(to, function->dispatcher, "armed") : "original");
}

static void describe_registration(struct reading *reading, const struct vga_header *header)
{
	struct vga_registration registration;
	unsigned here = 0;

	read_summed(reading, header->area_address + header->registration_offset, &registration,
		    sizeof(registration));
	ck_assert_uint_le(registration.slot_count, VGA_GOT_SLOTS);
	for (size_t i = 0; i < registration.slot_count; i++) {
		uint64_t value;

		read_summed(reading, registration.slots[i].address, &value, sizeof(value));
		here += value == registration.find_object;
	}
	fprintf(reading->out, ", %u GOT slots", here);
}

static void describe_area(struct reading *reading, const struct vg_area *area)
{
	const struct vga_header *header = &area->header;

	if (!area->functions)
		return;
	crypto_generichash_update(&reading->sum, (const uint8_t *)area->functions,
				  header->function_count * sizeof(*area->functions));
	for (size_t i = 0; i < header->function_count; i++)
		describe_function(reading, &area->functions[i]);
	describe_registration(reading, header);
}

static void describe_patch(struct reading *reading, const struct vg_installed *installed)
{
	const struct vga_header *header = &installed->areas[0].header;
	uint8_t sum[SUM_BYTES * 2];

	crypto_generichash_init(&reading->sum, NULL, 0, sizeof(sum));
	fprintf(reading->out, "; %s %s, switch %d, %zu areas%s", vg_installed_name(installed),
		state_words[installed->state], installed->on, installed->area_count,
		header->opens ? ", opens" : "");
	for (size_t i = 0; i < installed->area_count; i++)
		describe_area(reading, &installed->areas[i]);
	crypto_generichash_final(&reading->sum, sum, sizeof(sum));
	fprintf(reading->out, ", sum ");
	for (size_t i = 0; i < SUM_BYTES; i++)
		fprintf(reading->out, "%02x", sum[i]);
}

static bool is_settled(const struct vg_areas *areas)
{
	for (size_t i = 0; i < areas->count; i++)
		if (areas->patches[i].state != VGA_APPLIED ||
		    areas->patches[i].areas[0].header.opens)
			return false;
	return !areas->orphan_count;
}

void vg_journal_read(pid_t pid, struct vg_journal *journal)
{
	_cleanup_(vg_maps_clear) struct vg_maps maps = {0};
	_cleanup_(vg_areas_clear) struct vg_areas areas = {0};
	struct reading reading;
	size_t length;

	*journal = (struct vg_journal){0};
	must(vg_memory_open(pid, &reading.memory));
	must(vg_maps_read(pid, &maps));
	must(vg_areas_read(&reading.memory, &maps, &areas));
	reading.out = open_memstream(&journal->text, &length);
	ck_assert_ptr_nonnull(reading.out);
	unsigned descriptors = vg_count_userfaultfds(pid);

	fprintf(reading.out, "%zu without header, %u userfaultfds", areas.orphan_count,
		descriptors);
	for (size_t i = 0; i < areas.count; i++)
		describe_patch(&reading, &areas.patches[i]);
	fclose(reading.out);
	vg_memory_close(&reading.memory);
	journal->settled = is_settled(&areas) && !descriptors;
}

void vg_journal_clear(struct vg_journal *journal)
{
	free(journal->text);
	*journal = (struct vg_journal){0};
}
