/* SPDX-License-Identifier: MIT */
/* What reader and writer of patch objects share. */
#ifndef COMMON_PATCH_RECORD_H
#define COMMON_PATCH_RECORD_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include <vgraft/patch.h>

#define VGP_SECTION_TYPES (VGP_SHADOWS + 1)

/* Size of one record of a section; 1 for raw bytes, 0 for a type that does not exist. */
size_t vg_patch_record_bytes(uint32_t type);

/* SHA-256 of the file with the checksum field taken as zero (FIPS 180-4). */
void vg_patch_checksum(const uint8_t *bytes, size_t count, uint8_t checksum[32]);

#endif
