/* SPDX-License-Identifier: MIT */
/*
 * A block that can be told from every other block: it names its place, its turn and the run that
 * wrote it, and carries a CRC32C over all its bytes. A read that brings anything else back is
 * classed by what it brought.
 */
#ifndef TESTS_GUEST_BLOCK_H
#define TESTS_GUEST_BLOCK_H

#include <stdint.h>

#define BLOCK_BYTES 4096

struct block_header {
	uint64_t magic;
	uint64_t seed;
	uint64_t number;   /* of the block on the disk */
	uint64_t sequence; /* of the write, over the whole run */
	uint32_t length;
	uint32_t crc; /* CRC32C of the block with this field 0 */
};

union block {
	struct block_header header;
	uint64_t words[BLOCK_BYTES / 8];
};

enum block_state {
	BLOCK_GOOD,
	BLOCK_UNTOUCHED, /* the poison is still there: no byte was read */
	BLOCK_TORN,	 /* the CRC does not match */
	BLOCK_MISPLACED, /* a good block of another place or run */
	BLOCK_OLDER,	 /* a good block of an earlier write */
	BLOCK_NEWER,
};

void block_fill(union block *block, uint64_t seed, uint64_t number, uint64_t sequence);
/* Before a read, so that bytes which the device did not write are seen. */
void block_poison(union block *block);
enum block_state block_check(union block *block, uint64_t seed, uint64_t number, uint64_t sequence);

uint64_t random_next(uint64_t *state);

#endif
