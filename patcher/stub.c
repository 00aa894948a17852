/* SPDX-License-Identifier: MIT */
#include "patcher/stub.h"

#include <stddef.h>
#include <string.h>

/* jmp *displacement(%rip), 6 bytes (Intel SDM vol. 2, JMP, FF /4). */
static uint8_t *put_jump_through(uint8_t *at, uint64_t address, uint64_t word)
{
	int32_t displacement = (int32_t)(word - (address + 6));

	at[0] = 0xff;
	at[1] = 0x25;
	memcpy(at + 2, &displacement, sizeof(displacement));
	return at + 6;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t count)
{
	memcpy(at, bytes, count);
	return at + count;
}

void vg_stub_write(const struct vga_function *function, uint64_t record, uint64_t switch_word,
		   bool replaced, uint8_t stub[VG_STUB_BYTES])
{
	static const uint8_t head[] = {0x9c, 0x50, 0xa0};     /* pushf; push %rax; movabs */
	static const uint8_t test[] = {0x84, 0xc0, 0x58};     /* test; pop %rax */
	const uint8_t branch[] = {replaced ? 0x74 : 0x75, 7}; /* je 1f, jne 1f */
	static const uint8_t popf[] = {0x9d};
	uint64_t slot = record + offsetof(struct vga_function, slot);
	uint64_t below = record + offsetof(struct vga_function, below);
	uint64_t new_code = record + offsetof(struct vga_function, new_code);
	uint8_t *at;

	memset(stub, 0xcc, VG_STUB_BYTES);
	put_jump_through(stub, function->dispatcher, slot);
	at = put(stub + VG_STUB_SELECT, head, sizeof(head));
	at = put(at, &switch_word, sizeof(switch_word));
	at = put(at, test, sizeof(test));
	at = put(at, branch, sizeof(branch));
	at = put(at, popf, sizeof(popf));
	at = put_jump_through(at, function->dispatcher + (uint64_t)(at - stub), below);
	at = put(at, popf, sizeof(popf));
	put_jump_through(at, function->dispatcher + (uint64_t)(at - stub), new_code);
}

bool vg_stub_entry_jump(uint64_t entry, uint64_t dispatcher, uint8_t jump[VGP_JUMP_BYTES])
{
	int64_t distance = (int64_t)(dispatcher - (entry + VGP_JUMP_BYTES));
	int32_t displacement = (int32_t)distance;

	if (displacement != distance)
		return false;
	jump[0] = 0xe9;
	memcpy(jump + 1, &displacement, sizeof(displacement));
	return true;
}

bool vg_stub_jump_target(uint64_t entry, const uint8_t bytes[VGP_JUMP_BYTES], uint64_t *target)
{
	int32_t displacement;

	if (bytes[0] != 0xe9)
		return false;
	memcpy(&displacement, bytes + 1, sizeof(displacement));
	*target = entry + VGP_JUMP_BYTES + (uint64_t)(int64_t)displacement;
	return true;
}
