/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a patch area: the memory of a target is untrusted. The input is written into a
 * mapping of this process, which stands for the target, and read as every verb reads it. A header
 * is led past the first checks (its own address, size, the object's checksum), so that the rest of
 * it is looked at.
 *
 * Input: one byte that says what is not to be repaired, then the area from its header on.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "patcher/area.h"
#include "tests/fuzz/lib/input.h"

#define AREA_ADDRESS UINT64_C(0x10057000)
#define AREA_BYTES   0x4000u

static struct vg_memory memory;

/* Once: the mapping lies where no sanitizer keeps its shadow. */
static void open_area(void)
{
	if (memory.pid)
		return;

	void *area = mmap((void *)AREA_ADDRESS, AREA_BYTES, PROT_READ | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	PROMISE(area == (void *)AREA_ADDRESS);
	vg_error_free(vg_memory_open(getpid(), &memory));
	PROMISE(memory.pid);
}

/* Repairs what would end the reading at once; bits of the first byte choose what stays as it is. */
static void repair(uint8_t *bytes, uint8_t keep)
{
	struct vga_header header;

	memcpy(&header, bytes, sizeof(header));
	memcpy(header.magic, VGA_MAGIC, sizeof(header.magic));
	header.version = VGA_VERSION;
	header.header_bytes = sizeof(header);
	header.area_address = AREA_ADDRESS;
	if (!(keep & 1))
		header.area_bytes = AREA_BYTES;
	if (!(keep & 2))
		header.primary = AREA_ADDRESS;
	if (!(keep & 4) && header.object_offset < AREA_BYTES &&
	    header.object_bytes <= AREA_BYTES - header.object_offset &&
	    header.object_bytes >= sizeof(struct vgp_header)) {
		fuzz_reseal(bytes + header.object_offset, header.object_bytes);
		memcpy(header.checksum,
		       bytes + header.object_offset + offsetof(struct vgp_header, checksum),
		       sizeof(header.checksum));
	}
	/* Last: the object may not lie over the header. */
	memcpy(bytes, &header, sizeof(header));
}

static void check_area(const struct vg_area *area, const struct vg_patch *object)
{
	const struct vga_header *header = &area->header;
	uint64_t end = header->area_address + header->area_bytes;

	PROMISE(header->area_address == AREA_ADDRESS && header->area_bytes <= AREA_BYTES);
	PROMISE(memchr(header->name, '\0', sizeof(header->name)));
	if (!object || !area->functions)
		return; /* of a patch that is out nothing leads to its functions */
	for (size_t i = 0; i < header->function_count; i++) {
		const struct vga_function *function = &area->functions[i];

		PROMISE(vg_area_function_address(area, i) + sizeof(*function) <= end);
		PROMISE(function->function < object->function_count);
		PROMISE(function->new_code >= AREA_ADDRESS && function->new_code < end);
		PROMISE(function->displaced >= AREA_ADDRESS && function->displaced < end);
		PROMISE(function->select >= AREA_ADDRESS && function->select < end);
	}
}

static void read_areas(void)
{
	struct vg_map map = {.start = AREA_ADDRESS,
			     .end = AREA_ADDRESS + AREA_BYTES,
			     .readable = true,
			     .executable = true,
			     .path = (char *)""};
	struct vg_maps maps = {.maps = &map, .count = 1};
	struct vg_areas areas;
	struct vg_error *error = vg_areas_read(&memory, &maps, &areas);

	PROMISE(!error || !areas.count);
	for (size_t i = 0; i < areas.count; i++) {
		const struct vg_installed *installed = &areas.patches[i];

		PROMISE(installed->area_count);
		PROMISE(!vg_installed_is_linked(installed) ||
			(installed->object && installed->areas[0].functions));
		fuzz_touch_string(vg_installed_name(installed));
		for (size_t j = 0; j < installed->area_count; j++)
			check_area(&installed->areas[j], installed->object);
	}
	vg_error_free(error);
	vg_areas_clear(&areas);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[AREA_BYTES];

	if (size < 1 + sizeof(struct vga_header) || size > 1 + sizeof(bytes))
		return 0;
	open_area();
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, data + 1, size - 1);
	repair(bytes, data[0]);
	vg_error_free(vg_memory_write(&memory, AREA_ADDRESS, bytes, sizeof(bytes)));
	read_areas();
	return 0;
}
