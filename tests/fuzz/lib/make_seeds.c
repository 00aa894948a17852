/* SPDX-License-Identifier: MIT */
/*
 * Writes the seeds that no text file can be: usage: make_seeds FOLDER. They are made by the code
 * that makes such things for targets, so that a change of a format changes its seeds.
 */
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/patch_object.h"
#include "patcher/area.h"
#include "patcher/layout.h"
#include "patcher/seccomp.h"
#include "patcher/stub.h"
#include "tests/lib/small_patch.h"

#define AREA_ADDRESS UINT64_C(0x10057000)
#define AREA_BYTES   0x4000u

static const char *folder;

static void write_seed(const char *target, const char *name, const void *bytes, size_t count)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	FILE *file = fopen(path, "we");
	if (!file || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static struct vg_patch *make_patch(void)
{
	struct vg_patch *patch = NULL;
	uint8_t *bytes;
	size_t count;

	vg_small_patch(&bytes, &count);
	if (vg_patch_parse(bytes, count, "small patch", &patch))
		abort();
	free(bytes);
	return patch;
}

static struct vga_header area_header(const struct vg_patch *patch, const struct vg_layout *layout)
{
	struct vga_header header = {
		.version = VGA_VERSION,
		.header_bytes = sizeof(header),
		.area_address = AREA_ADDRESS,
		.area_bytes = AREA_BYTES,
		.state = VGA_APPLIED,
		.switch_word = 1,
		.primary = AREA_ADDRESS,
		.sequence = 1,
		.load_bias = 0x555555554000,
		.area_count = 1,
		.function_count = layout->function_count,
		.functions_offset = layout->functions_offset,
		.registration_offset = layout->registration_offset,
		.unwind_offset = layout->unwind_offset,
		.unwind_bytes = layout->unwind_bytes,
		.stubs_offset = layout->stubs_offset,
		.stubs_bytes = layout->stubs_bytes,
		.text_offset = layout->text_offset,
		.text_bytes = layout->text_bytes,
		.object_offset = layout->object_offset,
		.object_bytes = layout->object_bytes,
	};

	memcpy(header.magic, VGA_MAGIC, sizeof(header.magic));
	memcpy(header.checksum, patch->header->checksum, sizeof(header.checksum));
	snprintf(header.name, sizeof(header.name), "%s", vg_patch_name(patch));
	return header;
}

static void make_area(const struct vg_patch *patch)
{
	static uint8_t bytes[1 + AREA_BYTES];
	struct vg_layout layout;

	if (vg_layout_make(patch, 0, &layout) ||
	    layout.object_offset + layout.object_bytes > AREA_BYTES)
		abort();

	struct vga_header header = area_header(patch, &layout);
	uint64_t text = AREA_ADDRESS + layout.text_offset;
	uint64_t stub = AREA_ADDRESS + layout.stubs_offset;
	struct vga_function function = {
		.slot = text,
		.below = text + patch->functions[0].displaced_offset,
		.entry = header.load_bias + patch->functions[0].old_address,
		.dispatcher = stub,
		.select = stub + VG_STUB_SELECT,
		.new_code = text,
		.displaced = text + patch->functions[0].displaced_offset,
	};

	memcpy(bytes + 1, &header, sizeof(header));
	memcpy(bytes + 1 + layout.functions_offset, &function, sizeof(function));
	memcpy(bytes + 1 + layout.object_offset, patch->bytes, patch->byte_count);
	write_seed("area", "applied", bytes, 1 + layout.object_offset + patch->byte_count);
	bytes[1 + offsetof(struct vga_header, state)] = VGA_ARMING;
	bytes[0] = 4;
	write_seed("area", "arming", bytes, 1 + layout.object_offset + patch->byte_count);
}

static void make_filter(void)
{
	struct {
		struct seccomp_data call;
		struct sock_filter code[8];
	} seed = {
		.call = {.nr = SYS_mmap, .arch = AUDIT_ARCH_X86_64, .args = {0, 4096}},
		.code =
			{
				BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, arch)),
				BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
				BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
				BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					 offsetof(struct seccomp_data, nr)),
				BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
				BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_mmap, 0, 1),
				BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
				BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
			},
	};

	write_seed("seccomp", "filter", &seed, sizeof(seed));
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	folder = argv[1];

	struct vg_patch *patch = make_patch();

	write_seed("patch", "small", patch->bytes, patch->byte_count);
	make_area(patch);
	make_filter();
	vg_patch_free(patch);
	return 0;
}
