/* SPDX-License-Identifier: MIT */
/*
 * Pieces of the target's memory that are read together: in a stop there may be hundreds of single
 * pages, and a system call for each takes longer than to look at them.
 *
 * Thread context: any; a running target may change what is read.
 */
#ifndef PATCHER_PIECES_H
#define PATCHER_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/process_maps.h"
#include "patcher/memory.h"

#define VG_PIECES_MAX 64

struct vg_piece {
	uint64_t start;		  /* address in the target */
	size_t bytes, beyond;	  /* of its own, and behind them for a word that begins in them */
	const struct vg_map *map; /* that it lies in */
	const uint8_t *content;	  /* once it is read: `got` bytes */
	size_t got;		  /* at most bytes + beyond */
};

struct vg_pieces {
	/*
	 * Never wait for one: process_vm_readv() of a page that a userfaultfd holds back sleeps
	 * until it is given, and who gives it may stand in the same stop.
	 */
	bool may_be_held_back;
	struct vg_piece pieces[VG_PIECES_MAX];
	size_t count;
	size_t bytes; /* of all, what is behind them included */
};

/* False: there is no room for one more in so many bytes of buffer. */
bool vg_pieces_add(struct vg_pieces *pieces, const struct vg_piece *piece, size_t room);
/*
 * Reads them into the buffer, and calls `look` for each in turn, with what could be read of it. Its
 * content is there until `look` returns. A piece that begins in a page which is not there is cut to
 * begin with the next one.
 */
void vg_pieces_read(struct vg_pieces *pieces, const struct vg_memory *memory, uint8_t *buffer,
		    void (*look)(void *context, const struct vg_piece *piece), void *context);

#endif
