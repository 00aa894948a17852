/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as an ELF file: what both tools ask of every file that a target maps, and all that the
 * differ reads of the binary that it builds a patch for.
 */
#include "common/elf_file.h"
#include "differ/target_binary.h"
#include "tests/fuzz/lib/input.h"

#define MAX_INPUT 65536

static void read_symbols(const struct vg_elf *elf, uint32_t type)
{
	struct vg_symbols symbols;

	vg_error_free(vg_elf_symbols(elf, type, &symbols));
	for (size_t i = 0; i < symbols.count; i++) {
		PROMISE(symbols.symbols[i].name);
		fuzz_touch_string(symbols.symbols[i].name);
		fuzz_touch_string(symbols.symbols[i].file);
		fuzz_touch_string(symbols.symbols[i].version);
	}
	vg_symbols_clear(&symbols);
}

static void read_at(const struct vg_elf *elf, uint64_t address)
{
	static uint8_t buffer[4096];
	static const size_t counts[] = {0, 1, 8, sizeof(buffer)};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		vg_error_free(vg_elf_read(elf, address, buffer, counts[i]));
}

/* The ends of every segment, where sums wrap and sizes run out. */
static void read_segments(const struct vg_elf *elf)
{
	size_t count = 0;
	GElf_Phdr phdr;
	uint64_t bias;

	elf_getphdrnum(elf->elf, &count);
	for (size_t i = 0; i < count && i < 32; i++) {
		if (!gelf_getphdr(elf->elf, (int)i, &phdr))
			continue;
		read_at(elf, phdr.p_vaddr);
		read_at(elf, phdr.p_vaddr - 1);
		read_at(elf, phdr.p_vaddr + phdr.p_filesz - 4);
		read_at(elf, phdr.p_vaddr + phdr.p_memsz - 4);
		vg_error_free(
			vg_elf_load_bias(elf, UINT64_C(0x7f0000001000), phdr.p_offset, &bias));
		vg_error_free(vg_elf_load_bias(elf, 0, phdr.p_offset + phdr.p_filesz, &bias));
	}
	read_at(elf, 0);
	read_at(elf, UINT64_MAX);
	vg_error_free(vg_elf_load_bias(elf, UINT64_MAX, UINT64_MAX, &bias));
}

static void read_file(int fd)
{
	char text[2 * VGP_MAX_BUILD_ID + 1];
	struct vg_elf *elf = NULL;
	GElf_Shdr shdr;
	struct vg_error *error = vg_elf_open_fd(fd, "input", &elf);

	PROMISE(!error == !!elf);
	vg_error_free(error);
	if (!elf)
		return;
	PROMISE(elf->build_id_bytes <= VGP_MAX_BUILD_ID);
	vg_build_id_text(elf->build_id, elf->build_id_bytes, text);
	vg_elf_is_pie_or_shared(elf);
	vg_elf_section(elf, ".eh_frame", &shdr);
	read_symbols(elf, SHT_SYMTAB);
	read_symbols(elf, SHT_DYNSYM);
	read_segments(elf);
	vg_elf_close(elf);
}

static void ask_target(const struct vg_target *target, uint64_t address)
{
	const uint8_t *bytes = vg_target_bytes(target, address, 16);

	if (bytes)
		fuzz_touch(bytes, 16);
	vg_target_is_code(target, address);
	vg_target_has(target, address);
	fuzz_touch_string(vg_target_symbol_at(target, address));
	vg_target_slot(target, address);
	vg_target_plt(target, address);
	vg_target_plt_for_resolver(target, address);
	vg_target_function_at(target, address);
	vg_target_tls_pair(target, NULL, address);
	vg_target_tpoff(target, address);
}

static void read_target(int fd)
{
	struct vg_arena arena = {0};
	struct vg_target *target = NULL;
	char path[FUZZ_PATH_BYTES];
	size_t count;

	fuzz_path(fd, path);
	struct vg_error *error = vg_target_open(&arena, path, NULL, &target);
	if (!error) {
		fuzz_touch_string(target->name);
		fuzz_touch_string(target->runpath);
		for (size_t i = 0; i < target->needed.count; i++)
			fuzz_touch_string(target->needed.at[i]);
		for (size_t i = 0; i < target->load_count && i < 16; i++)
			ask_target(target, target->loads[i].p_vaddr);
		for (size_t i = 0; i < target->functions.count && i < 16; i++)
			ask_target(target, target->functions.at[i].end - 8);
		for (size_t i = 0; i < target->slots.count && i < 16; i++)
			ask_target(target, target->slots.at[i].address);
		ask_target(target, UINT64_MAX - 7);
		vg_target_named(target, "main", &count);
		vg_target_dynamic(target, "memcpy");
		vg_target_slot_for(target, "memcpy");
		vg_target_plt_for(target, "memcpy");
	}
	vg_error_free(error);
	vg_target_close(target);
	vg_arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > MAX_INPUT)
		return 0;

	int fd = fuzz_file(data, size);

	read_target(fd);
	read_file(fd);
	return 0;
}
