// SPDX-License-Identifier: MIT
#include "tests/guest/block.h"

#include <stdbool.h>

#define BLOCK_MAGIC  0x6b636f6c62677621ULL
#define BLOCK_POISON 0xa5a55a5aa5a55a5aULL
#define BLOCK_WORDS  (BLOCK_BYTES / 8)
#define HEADER_WORDS (sizeof(struct block_header) / 8)

/* xorshift64*: one multiplication a word, so that a block is filled in about a microsecond. */
uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static uint32_t crc32c(const union block *block)
{
	uint64_t crc = 0xffffffff;

	for (unsigned int i = 0; i < BLOCK_WORDS; i++)
		asm("crc32q %1, %0" : "+r"(crc) : "rm"(block->words[i]));
	return ~(uint32_t)crc;
}

void block_fill(union block *block, uint64_t seed, uint64_t number, uint64_t sequence)
{
	uint64_t state = (seed ^ number << 40 ^ sequence) | 1ULL << 63;

	for (unsigned int i = HEADER_WORDS; i < BLOCK_WORDS; i++)
		block->words[i] = random_next(&state);
	block->header = (struct block_header){
		.magic = BLOCK_MAGIC,
		.seed = seed,
		.number = number,
		.sequence = sequence,
		.length = BLOCK_BYTES,
	};
	block->header.crc = crc32c(block);
}

void block_poison(union block *block)
{
	for (unsigned int i = 0; i < BLOCK_WORDS; i++)
		block->words[i] = BLOCK_POISON;
}

static bool is_untouched(const union block *block)
{
	for (unsigned int i = 0; i < BLOCK_WORDS; i++)
		if (block->words[i] != BLOCK_POISON)
			return false;
	return true;
}

static bool has_good_crc(union block *block)
{
	uint32_t crc = block->header.crc;

	block->header.crc = 0;

	bool good = crc32c(block) == crc;

	block->header.crc = crc;
	return good && block->header.magic == BLOCK_MAGIC && block->header.length == BLOCK_BYTES;
}

enum block_state block_check(union block *block, uint64_t seed, uint64_t number, uint64_t sequence)
{
	if (is_untouched(block))
		return BLOCK_UNTOUCHED;
	if (!has_good_crc(block))
		return BLOCK_TORN;
	if (block->header.seed != seed || block->header.number != number)
		return BLOCK_MISPLACED;
	if (block->header.sequence == sequence)
		return BLOCK_GOOD;
	return block->header.sequence < sequence ? BLOCK_OLDER : BLOCK_NEWER;
}
