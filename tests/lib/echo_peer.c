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
	atomic_ulong next; /* number of the frame that comes next */
	struct {
		uint64_t number; /* 0: none yet */
		uint32_t bytes;
		unsigned char mac[STREAM_MAC_BYTES];
	} answered[STREAM_WINDOW]; /* the last ones, by number */
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

/* In a `stream` netdev each frame comes after its length, 4 bytes in network order. */
static bool send_answer(const struct vg_echo_peer *peer, const unsigned char *to, uint32_t bytes,
			const struct stream_header *header)
{
	/* locally administered (IEEE 802, section 8.2) */
	static const unsigned char own_mac[STREAM_MAC_BYTES] = {0x02, 0, 0, 0, 0, 1};
	static const unsigned char type[2] = {STREAM_ETHERTYPE >> 8, STREAM_ETHERTYPE & 0xff};
	unsigned char frame[STREAM_FRAME_MAX];
	uint32_t prefix = htonl(bytes);

	memcpy(frame, to, STREAM_MAC_BYTES);
	memcpy(frame + STREAM_MAC_BYTES, own_mac, STREAM_MAC_BYTES);
	memcpy(frame + 2 * STREAM_MAC_BYTES, type, sizeof(type));
	stream_fill(frame + STREAM_ETHER_HEADER, bytes - STREAM_ETHER_HEADER, header);
	return send_all(peer, &prefix, sizeof(prefix)) && send_all(peer, frame, bytes);
}

/* The answer goes to the sender and has every byte of its data anew. */
static bool answer(struct vg_echo_peer *peer, const unsigned char *frame, uint32_t bytes,
		   uint64_t number)
{
	size_t slot = number % STREAM_WINDOW;

	peer->answered[slot].number = number;
	peer->answered[slot].bytes = bytes;
	memcpy(peer->answered[slot].mac, frame + STREAM_MAC_BYTES, STREAM_MAC_BYTES);
	return send_answer(peer, frame + STREAM_MAC_BYTES, bytes,
			   &(struct stream_header){STREAM_ANSWER, number, 0});
}

/* What the guest had not yet taken from a QEMU that is gone; it knows which it has. */
static bool answer_again(const struct vg_echo_peer *peer)
{
	uint64_t next = peer->next, first = next > STREAM_WINDOW ? next - STREAM_WINDOW : 1;

	for (uint64_t number = first; number < next; number++) {
		size_t slot = number % STREAM_WINDOW;

		if (peer->answered[slot].number == number &&
		    !send_answer(peer, peer->answered[slot].mac, peer->answered[slot].bytes,
				 &(struct stream_header){STREAM_ANSWER, number, STREAM_AGAIN}))
			return false;
	}
	return true;
}

static void serve_connection(struct vg_echo_peer *peer)
{
	unsigned char frame[MAX_FRAME];
	struct stream_header header;
	uint32_t prefix;

	while (receive(peer, &prefix, sizeof(prefix))) {
		uint32_t bytes = ntohl(prefix);

		if (bytes > sizeof(frame) || !receive(peer, frame, bytes))
			break;
		if (!is_ours(frame, bytes))
			continue;
		check(peer, frame + STREAM_ETHER_HEADER, bytes - STREAM_ETHER_HEADER, &header);
		/* A QEMU that ends takes no more answers, but its last requests count. */
		(void)answer(peer, frame, bytes, header.number);
	}
}

/* One QEMU after the other: the next is served when the one before has closed its end. */
static void *serve(void *argument)
{
	struct vg_echo_peer *peer = argument;
	int connection;

	while ((connection = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		int before = peer->connection;

		peer->connection = connection;
		if (before >= 0)
			close(before);
		if (answer_again(peer))
			serve_connection(peer);
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

void vg_echo_peer_restart(struct vg_echo_peer *peer)
{
	peer->frames = 0;
	peer->lost = 0;
	peer->corrupt = 0;
	peer->next = 1;
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
