/* SPDX-License-Identifier: MIT */
#include "patcher/pieces.h"

static size_t size_of(const struct vg_piece *piece)
{
	return piece->bytes + piece->beyond;
}

bool vg_pieces_add(struct vg_pieces *pieces, const struct vg_piece *piece, size_t room)
{
	if (pieces->count == VG_PIECES_MAX || pieces->bytes + size_of(piece) > room)
		return false;
	pieces->pieces[pieces->count++] = *piece;
	pieces->bytes += size_of(piece);
	return true;
}

static bool read_together(struct vg_pieces *pieces, const struct vg_memory *memory, uint8_t *buffer)
{
	struct iovec local = {buffer, pieces->bytes}, remote[VG_PIECES_MAX];

	for (size_t i = 0; i < pieces->count; i++) {
		struct vg_piece *piece = &pieces->pieces[i];

		piece->content = buffer;
		piece->got = size_of(piece);
		buffer += piece->got;
		remote[i] = (struct iovec){(void *)piece->start, piece->got};
	}
	return process_vm_readv(memory->pid, &local, 1, remote, pieces->count, 0) ==
	       (ssize_t)pieces->bytes;
}

void vg_pieces_read(struct vg_pieces *pieces, const struct vg_memory *memory, uint8_t *buffer,
		    void (*look)(void *context, const struct vg_piece *piece), void *context)
{
	bool together = pieces->count > 1 && read_together(pieces, memory, buffer);

	for (size_t i = 0; i < pieces->count; i++) {
		struct vg_piece *piece = &pieces->pieces[i];

		if (!together) {
			piece->content = buffer;
			piece->got =
				vg_memory_read_some(memory, piece->start, buffer, size_of(piece));
		}
		look(context, piece);
	}
	pieces->count = pieces->bytes = 0;
}
