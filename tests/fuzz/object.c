/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a relocatable object: sections, symbols, relocations, and the items that they are
 * split into. Objects come from a compiler, but a broken disk or plugin makes others.
 */
#include <unistd.h>

#include "differ/object_file.h"
#include "tests/fuzz/lib/input.h"

#define MAX_INPUT 65536

static void read_item(const struct vg_object *object, const struct vg_item *item)
{
	const uint8_t *bytes = vg_item_bytes(item);
	size_t count;

	fuzz_touch_string(vg_item_text(item));
	if (bytes)
		fuzz_touch(bytes, item->size);
	PROMISE(!item->section || item->offset + item->size <= item->section->size);
	const struct vg_object_reloc *relocs = vg_item_relocs(item, &count);
	for (size_t i = 0; i < count; i++)
		fuzz_touch_string(relocs[i].symbol->name);
	for (size_t i = 0; i < item->user_count; i++)
		PROMISE(item->users[i]->object == object);
	vg_item_start(item, 1);
	vg_item_next_start(item, 1);
	vg_item_is_writable(item);
}

static void read_section(const struct vg_object_section *section)
{
	const uint64_t offsets[] = {0, section->size / 2, section->size, UINT64_MAX};

	fuzz_touch_string(section->name);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		vg_object_item_at(section, offsets[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vg_arena arena = {0};
	struct vg_object *object = NULL;
	char path[FUZZ_PATH_BYTES];

	if (size > MAX_INPUT)
		return 0;

	int fd = fuzz_file(data, size);

	fuzz_path(fd, path);
	struct vg_error *error = vg_object_read(&arena, path, "input.c", &object);
	if (!error) {
		for (size_t i = 0; i < object->item_count; i++)
			read_item(object, object->items[i]);
		for (size_t i = 0; i < object->section_count; i++)
			read_section(&object->sections[i]);
		vg_object_item_named(object, "main");
	}
	vg_error_free(error);
	vg_object_close(object);
	vg_arena_clear(&arena);
	close(fd);
	return 0;
}
