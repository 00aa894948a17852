/* SPDX-License-Identifier: MIT */
#include "tests/lib/echo_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/qemu/guest/stream.h"

#define MAX_FRAME 65536 /* of other protocols, which the guest's kernel may speak unasked */

struct vg_echo_peer {
	int listener;
	atomic_int connection; /* -1 until QEMU connects */
	pthread_t thread;
	atomic_ulong frames, lost, corrupt;
	uint64_t next; /* number of the frame that comes next */
};

static struct vg_error *listen_at(const char *path, int *listener)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path))
		return vg_error_new(VG_FAILED, "the path of the socket %s is too long", path);
	strcpy(address.sun_path, path);
	*listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*listener < 0 || bind(*listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(*listener, 1) != 0)
		return vg_error_errno(VG_FAILED, errno, "cannot listen on %s", path);
	return NULL;
}

static bool receive(const struct vg_echo_peer *peer, void *out, size_t bytes)
{
	return recv(peer->connection, out, bytes, MSG_WAITALL) == (ssize_t)bytes;
}

static bool send_all(const struct vg_echo_peer *peer, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes > 0) {
		ssize_t sent = send(peer->connection, at, bytes, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		at += sent;
		bytes -= (size_t)sent;
	}
	return true;
}

static bool is_ours(const unsigned char *frame, uint32_t bytes)
{
	return bytes >= STREAM_FRAME_MIN && bytes <= STREAM_FRAME_MAX &&
	       frame[2 * STREAM_MAC_BYTES] == STREAM_ETHERTYPE >> 8 &&
	       frame[2 * STREAM_MAC_BYTES + 1] == (STREAM_ETHERTYPE & 0xff);
}

static void check(struct vg_echo_peer *peer, const unsigned char *data, size_t bytes,
		  struct stream_header *header)
{
	memcpy(header, data, sizeof(*header));
	if (!stream_is_whole(data, bytes) || header->kind != STREAM_REQUEST ||
	    header->number < peer->next) {
		peer->corrupt++;
		return;
	}
	peer->lost += header->number - peer->next;
	peer->next = header->number + 1;
	peer->frames++;
}

/* The answer goes to the sender and has every byte of its data anew. */
static bool answer(const struct vg_echo_peer *peer, unsigned char *frame, uint32_t bytes,
		   struct stream_header header)
{
	/* locally administered (IEEE 802, section 8.2) */
	static const unsigned char own_mac[STREAM_MAC_BYTES] = {0x02, 0, 0, 0, 0, 1};
	uint32_t prefix = htonl(bytes);

	header.kind = STREAM_ANSWER;
	memcpy(frame, frame + STREAM_MAC_BYTES, STREAM_MAC_BYTES);
	memcpy(frame + STREAM_MAC_BYTES, own_mac, STREAM_MAC_BYTES);
	stream_fill(frame + STREAM_ETHER_HEADER, bytes - STREAM_ETHER_HEADER, &header);
	return send_all(peer, &prefix, sizeof(prefix)) && send_all(peer, frame, bytes);
}

/* In a `stream` netdev each frame comes after its length, 4 bytes in network order. */
static void *serve(void *argument)
{
	struct vg_echo_peer *peer = argument;
	unsigned char frame[MAX_FRAME];
	struct stream_header header;
	uint32_t prefix;

	peer->connection = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
	while (peer->connection >= 0 && receive(peer, &prefix, sizeof(prefix))) {
		uint32_t bytes = ntohl(prefix);

		if (bytes > sizeof(frame) || !receive(peer, frame, bytes))
			break;
		if (!is_ours(frame, bytes))
			continue;
		check(peer, frame + STREAM_ETHER_HEADER, bytes - STREAM_ETHER_HEADER, &header);
		if (!answer(peer, frame, bytes, header))
			break;
	}
	return NULL;
}

struct vg_error *vg_echo_peer_start(const char *path, struct vg_echo_peer **out)
{
	struct vg_echo_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return vg_error_no_memory();
	peer->next = 1;
	peer->listener = -1;
	peer->connection = -1;

	struct vg_error *error = listen_at(path, &peer->listener);

	if (!error && pthread_create(&peer->thread, NULL, serve, peer) != 0)
		error = vg_error_no_memory();
	if (error) {
		vg_cleanup_close(&peer->listener);
		free(peer);
		return error;
	}
	*out = peer;
	return NULL;
}

struct vg_echo_counts vg_echo_peer_counts(const struct vg_echo_peer *peer)
{
	return (struct vg_echo_counts){peer->frames, peer->lost, peer->corrupt};
}

void vg_echo_peer_stop(struct vg_echo_peer *peer)
{
	if (!peer)
		return;
	/* Wakes the thread, wherever it waits. */
	shutdown(peer->listener, SHUT_RDWR);
	if (peer->connection >= 0)
		shutdown(peer->connection, SHUT_RDWR);
	pthread_join(peer->thread, NULL);
	vg_cleanup_close(&peer->listener);
	if (peer->connection >= 0)
		close(peer->connection);
	free(peer);
}
