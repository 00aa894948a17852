/* SPDX-License-Identifier: MIT */
#include "tests/lib/small_patch.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/patch_object.h"

#define SHADOW_TABLE_BYTES (2 * 8 + 2 * 4 + 8 + 2 * 48) /* of two with 48 bytes each */

static void add_identity(struct vg_patch_writer *writer)
{
	struct vgp_info info = {
		.name = vg_patch_writer_string(writer, "small"),
		.cve = vg_patch_writer_string(writer, "CVE-0000-0001"),
		.producer = vg_patch_writer_string(writer, "a test"),
	};
	struct vgp_module module = {
		.name = vg_patch_writer_string(writer, "program"),
		.flags = VGP_MODULE_EXECUTABLE,
		.build_id_bytes = 4,
		.build_id = {0xde, 0xad, 0xbe, 0xef},
	};
	uint32_t depends = vg_patch_writer_string(writer, "earlier");

	vg_patch_writer_add(writer, VGP_INFO, &info, 1);
	vg_patch_writer_add(writer, VGP_DEPENDS, &depends, 1);
	vg_patch_writer_add(writer, VGP_MODULES, &module, 1);
}

static void add_segments(struct vg_patch_writer *writer)
{
	static const uint8_t text[64] = {0xb8, 2, 0, 0, 0, 0xc3};
	struct vgp_segment segments[] = {
		{.kind = VGP_TEXT,
		 .align = 16,
		 .memory_bytes = sizeof(text),
		 .content_offset = vg_patch_writer_contents(writer, text, sizeof(text)),
		 .content_bytes = sizeof(text)},
		{.kind = VGP_DATA, .align = 16, .memory_bytes = 16 + SHADOW_TABLE_BYTES},
	};

	vg_patch_writer_add(writer, VGP_SEGMENTS, segments, 2);
}

static void add_functions(struct vg_patch_writer *writer)
{
	struct vgp_function functions[] = {
		{.name = vg_patch_writer_string(writer, "answer"),
		 .file = vg_patch_writer_string(writer, "main.c"),
		 .symbol = vg_patch_writer_string(writer, "answer.constprop.0"),
		 .kind = VGP_CHANGED,
		 .entry_bytes = 5,
		 .new_bytes = 6,
		 .displaced_offset = 16,
		 .old_address = 0x1000,
		 .old_bytes = 6,
		 .entry = {0xb8, 1, 0, 0, 0}},
		{.name = vg_patch_writer_string(writer, "helper"),
		 .file = vg_patch_writer_string(writer, "main.c"),
		 .symbol = vg_patch_writer_string(writer, "helper"),
		 .kind = VGP_NEW,
		 .new_offset = 32,
		 .new_bytes = 8},
	};
	struct vgp_part part = {
		.name = vg_patch_writer_string(writer, "answer.cold"),
		.old_address = 0x2000,
		.old_bytes = 4,
		.new_offset = 40,
		.new_bytes = 4,
	};

	vg_patch_writer_add(writer, VGP_FUNCTIONS, functions, 2);
	vg_patch_writer_add(writer, VGP_PARTS, &part, 1);
}

static void add_references(struct vg_patch_writer *writer)
{
	struct vgp_import import = {
		.name = vg_patch_writer_string(writer, "memcpy"),
		.soname = vg_patch_writer_string(writer, "libc.so.6"),
		.version = vg_patch_writer_string(writer, "GLIBC_2.14"),
		.flags = VGP_IMPORT_FUNCTION,
	};
	struct vgp_reloc relocs[] = {
		{.offset = 48, .type = VGP_ABS64, .base = VGP_BASE_IMPORT},
		{.offset = 56, .type = VGP_PC32, .base = VGP_BASE_MODULE, .addend = 0x3000},
	};
	struct vgp_variable variable = {
		.name = vg_patch_writer_string(writer, "counter"),
		.segment = 1,
		.bytes = 4,
	};
	struct vgp_unwind unwind = {.offset = 44, .bytes = 4};
	struct vgp_hook hook = {.when = VGP_PRE_APPLY, .offset = 32, .bytes = 8};
	struct vgp_shadow_table table = {
		.segment = 1, .offset = 16, .count = 2, .bytes = 48, .layout = VGP_SHADOW_LAYOUT};

	vg_patch_writer_add(writer, VGP_IMPORTS, &import, 1);
	vg_patch_writer_add(writer, VGP_RELOCS, relocs, 2);
	vg_patch_writer_add(writer, VGP_VARIABLES, &variable, 1);
	vg_patch_writer_add(writer, VGP_UNWIND, &unwind, 1);
	vg_patch_writer_add(writer, VGP_HOOKS, &hook, 1);
	vg_patch_writer_add(writer, VGP_SHADOWS, &table, 1);
}

void vg_small_patch(uint8_t **bytes, size_t *count)
{
	struct vg_patch_writer *writer = vg_patch_writer_new();

	if (!writer)
		abort();
	add_identity(writer);
	add_segments(writer);
	add_functions(writer);
	add_references(writer);
	struct vg_error *error = vg_patch_writer_finish(writer, 0, bytes, count);
	if (error) {
		fprintf(stderr, "%s\n", vg_error_text(error));
		abort();
	}
	vg_patch_writer_free(writer);
}
