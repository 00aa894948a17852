/* SPDX-License-Identifier: MIT */
/*
 * The other end of a QEMU guest's network: `-netdev stream` on a unix socket. A thread checks every
 * byte of each frame of tests/qemu/guest/stream.h that the guest sends, and sends its answer back.
 *
 * A guest may move to another QEMU: that one connects too, and is served as soon as the first has
 * closed its end. It gets the last answers once more, marked STREAM_AGAIN, since the first may have
 * taken some with it.
 */
#ifndef TESTS_LIB_ECHO_PEER_H
#define TESTS_LIB_ECHO_PEER_H

#include <stdint.h>

#include <vgraft/error.h>

struct vg_echo_peer;

struct vg_echo_counts {
	uint64_t frames;  /* whole and in order */
	uint64_t lost;	  /* numbers that never came */
	uint64_t corrupt; /* torn, repeated, or of another kind */
};

/* Listens on the socket; QEMU connects to it. */
struct vg_error *vg_echo_peer_start(const char *path, struct vg_echo_peer **out) VG_MUST_CHECK;
struct vg_echo_counts vg_echo_peer_counts(const struct vg_echo_peer *peer);
/*
 * Forgets all that was counted: the guest has gone back to a state before its first frame. Nothing
 * may be on its way.
 */
void vg_echo_peer_restart(struct vg_echo_peer *peer);
/* NULL is allowed. */
void vg_echo_peer_stop(struct vg_echo_peer *peer);

#endif
