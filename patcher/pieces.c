/* SPDX-License-Identifier: MIT */
#include "patcher/pieces.h"

#include "patcher/pages.h"

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

/* From the first one on; how many were read, which the kernel does piece by piece. */
static size_t read_together(struct vg_piece *pieces, size_t count, const struct vg_memory *memory,
			    uint8_t *buffer)
{
	struct iovec local = {buffer, 0}, remote[VG_PIECES_MAX] = {{0}};
	ssize_t got;
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		pieces[i].content = buffer + local.iov_len;
		pieces[i].got = size_of(&pieces[i]);
		remote[i] = (struct iovec){(void *)pieces[i].start, pieces[i].got};
		local.iov_len += pieces[i].got;
	}
	got = process_vm_readv(memory->pid, &local, 1, remote, count, 0);
	while (done < count && got >= (ssize_t)pieces[done].got)
		got -= (ssize_t)pieces[done++].got;
	return done;
}

static void read_alone(struct vg_piece *piece, const struct vg_memory *memory, uint8_t *buffer)
{
	size_t rest = VG_PAGE - piece->start % VG_PAGE;

	piece->content = buffer;
	piece->got = vg_memory_read_some(memory, piece->start, buffer, size_of(piece));
	if (piece->got || rest >= piece->bytes)
		return;
	piece->start += rest;
	piece->bytes -= rest;
	piece->got = vg_memory_read_some(memory, piece->start, buffer, size_of(piece));
}

void vg_pieces_read(struct vg_pieces *pieces, const struct vg_memory *memory, uint8_t *buffer,
		    void (*look)(void *context, const struct vg_piece *piece), void *context)
{
	struct vg_piece *piece = pieces->pieces, *end = piece + pieces->count;

	while (piece < end) {
		size_t done = pieces->may_be_held_back
				      ? 0
				      : read_together(piece, (size_t)(end - piece), memory, buffer);

		for (; done; done--)
			look(context, piece++);
		if (piece == end)
			break;
		/* What the target itself may not read is there through /proc/PID/mem. */
		read_alone(piece, memory, buffer);
		look(context, piece++);
	}
	pieces->count = pieces->bytes = 0;
}
