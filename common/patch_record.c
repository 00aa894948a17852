/* SPDX-License-Identifier: MIT */
#include "common/patch_record.h"

#include <sodium.h>

size_t vg_patch_record_bytes(uint32_t type)
{
	static const size_t bytes[VGP_SECTION_TYPES] = {
		[VGP_STRINGS] = 1,
		[VGP_INFO] = sizeof(struct vgp_info),
		[VGP_DEPENDS] = sizeof(uint32_t),
		[VGP_MODULES] = sizeof(struct vgp_module),
		[VGP_SEGMENTS] = sizeof(struct vgp_segment),
		[VGP_CONTENTS] = 1,
		[VGP_FUNCTIONS] = sizeof(struct vgp_function),
		[VGP_PARTS] = sizeof(struct vgp_part),
		[VGP_IMPORTS] = sizeof(struct vgp_import),
		[VGP_RELOCS] = sizeof(struct vgp_reloc),
		[VGP_VARIABLES] = sizeof(struct vgp_variable),
		[VGP_UNWIND] = sizeof(struct vgp_unwind),
		[VGP_HOOKS] = sizeof(struct vgp_hook),
		[VGP_SHADOWS] = sizeof(struct vgp_shadow_table),
	};

	return type < VGP_SECTION_TYPES ? bytes[type] : 0;
}

void vg_patch_checksum(const uint8_t *bytes, size_t count, uint8_t checksum[32])
{
	static const uint8_t zero[sizeof(((struct vgp_header *)NULL)->checksum)];
	const size_t start = offsetof(struct vgp_header, checksum);
	const size_t end = start + sizeof(zero);
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, bytes, start);
	crypto_hash_sha256_update(&state, zero, sizeof(zero));
	crypto_hash_sha256_update(&state, bytes + end, count - end);
	crypto_hash_sha256_final(&state, checksum);
}
