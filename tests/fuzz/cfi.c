// SPDX-License-Identifier: MIT
/*
 * Arbitrary bytes as .eh_frame_hdr and .eh_frame. The first two bytes split them: the length of the
 * index (0: none). Every address that some entry covers is looked up, and its rules are evaluated.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "patcher/cfi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE UINT64_C(0x10000)

struct input {
	const uint8_t *bytes;
	size_t count;
};

static struct cfi_entry entry;
static struct cfi_row row;

static bool read_input(void *context, uint64_t address, void *buffer, size_t count)
{
	const struct input *input = context;

	if (address < BASE || address - BASE > input->count ||
	    count > input->count - (address - BASE))
		return false;
	memcpy(buffer, input->bytes + (address - BASE), count);
	return true;
}

static void evaluate(struct cfi_machine *machine, const struct cfi_slice *expression)
{
	uint64_t cfa = BASE, value;

	if (cfi_evaluate(expression, machine, &cfa, &value) == CFI_OK)
		machine->registers[CFI_RAX] = value;
}

static void use_row(struct input *input)
{
	struct cfi_machine machine = {.read = read_input, .context = input, .known = 0x1ffff};

	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		machine.registers[i] = BASE + 8 * i;
	if (row.cfa.kind == CFI_IS_EXPRESSION)
		evaluate(&machine, &row.cfa.expression);
	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		if (row.rules[i].kind == CFI_AT_EXPRESSION ||
		    row.rules[i].kind == CFI_IS_EXPRESSION)
			evaluate(&machine, &row.rules[i].expression);
}

static void look_up(struct input *input, const struct cfi_table *table, uint64_t pc)
{
	if (cfi_find(table, pc, &entry) != CFI_OK)
		return;
	if (cfi_row_at(&entry, entry.start, &row) == CFI_OK)
		use_row(input);
	if (cfi_row_at(&entry, entry.end - 1, &row) == CFI_OK)
		use_row(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 4096)
		return 0;

	struct input input = {data + 2, size - 2};
	size_t split = (size_t)(data[0] | data[1] << 8) % (input.count + 1);
	struct cfi_table table = {
		.eh_frame = BASE + split,
		.eh_frame_end = BASE + input.count,
		.index = split ? BASE : 0,
		.index_end = BASE + split,
		.read = read_input,
		.context = &input,
	};

	for (uint64_t pc = BASE; pc < BASE + 0x1000; pc += 0x80)
		look_up(&input, &table, pc);
	look_up(&input, &table, 0);
	free(cfi_make_pairs(&table, &table.pair_count));
	look_up(&input, &table, UINT64_MAX);
	return 0;
}
