/* SPDX-License-Identifier: MIT */
/*
 * What guest and test agree on: the bytes of a disk block and of a network frame. Each is a header
 * and words that follow from it, so that either side knows every byte, whoever wrote it and however
 * long ago.
 */
#ifndef TESTS_QEMU_GUEST_STREAM_H
#define TESTS_QEMU_GUEST_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- disk */

#define STREAM_BLOCKS	   512
#define STREAM_BLOCK_BYTES 4096
/* A block in each qcow2 cluster, so that the first write to each allocates one. */
#define STREAM_BLOCK_STEP 65536
#define STREAM_DISK_BYTES (64 << 20)

/* ---- network: Ethernet frames from guest to test, and back with the other kind */

#define STREAM_ETHERTYPE    0x88b5 /* IEEE 802: local experimental */
#define STREAM_MAC_BYTES    6UL
#define STREAM_ETHER_HEADER (2 * STREAM_MAC_BYTES + 2)
#define STREAM_FRAME_MIN    64
#define STREAM_FRAME_MAX    1514
#define STREAM_WINDOW	    8 /* requests on their way without an answer */
#define STREAM_AGAIN	    1 /* the `sequence` of an answer that may have come before */

enum stream_kind {
	STREAM_BLOCK = 1,
	STREAM_REQUEST = 2,
	STREAM_ANSWER = 3,
};

struct stream_header {
	uint64_t kind;
	uint64_t number;   /* of the block; of the frame, from 1 */
	uint64_t sequence; /* how often the block was written; in a frame 0 or STREAM_AGAIN */
};

/* xorshift64* (Vigna 2014). The state is never 0. */
static inline uint64_t stream_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static inline uint64_t stream_seed(const struct stream_header *header)
{
	uint64_t state = header->kind << 56 ^ header->number << 32 ^ header->sequence ^ 1ULL << 63;

	stream_random(&state);
	return state;
}

/* `bytes` is at least the header's size; what is left after whole words is filled with 0. */
static inline void stream_fill(void *memory, size_t bytes, const struct stream_header *header)
{
	uint64_t state = stream_seed(header), word;
	unsigned char *out = memory;
	size_t at = sizeof(*header);

	__builtin_memcpy(out, header, sizeof(*header));
	for (; at + sizeof(word) <= bytes; at += sizeof(word)) {
		word = stream_random(&state);
		__builtin_memcpy(out + at, &word, sizeof(word));
	}
	__builtin_memset(out + at, 0, bytes - at);
}

/* Whether every byte follows from the header that is there. */
static inline bool stream_is_whole(const void *memory, size_t bytes)
{
	unsigned char expected[STREAM_BLOCK_BYTES];
	struct stream_header header;

	if (bytes < sizeof(header) || bytes > sizeof(expected))
		return false;
	__builtin_memcpy(&header, memory, sizeof(header));
	stream_fill(expected, bytes, &header);
	return __builtin_memcmp(expected, memory, bytes) == 0;
}

/* One block's share of the sum over all blocks that the guest ends with. */
static inline uint64_t stream_share(uint64_t number, uint64_t sequence)
{
	return stream_seed(&(struct stream_header){STREAM_BLOCK, number, sequence});
}

#endif
