/* SPDX-License-Identifier: MIT */
#include "tests/qemu/effects/vhost_user.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"

#define PAYLOAD_MAX 512
#define IS_REPLY    0x5U /* version 1, reply */
#define NO_FD	    0x100U
#define FEATURES    (1ULL << 32 | 1ULL << 30) /* VIRTIO_F_VERSION_1, protocol features */

enum { GET_FEATURES = 1, GET_VRING_BASE = 11, SET_VRING_CALL = 13, GET_PROTOCOL_FEATURES = 15 };

struct head {
	uint32_t request, flags, bytes;
};

struct vhost_user {
	int fd;
	pthread_t thread;
	atomic_uint calls_without_fd;
};

/* Descriptors that come along are dropped, since nobody takes them. */
static bool receive(int fd, struct head *head, uint64_t payload[PAYLOAD_MAX / 8])
{
	return recv(fd, head, sizeof(*head), MSG_WAITALL) == sizeof(*head) &&
	       head->bytes <= PAYLOAD_MAX &&
	       (head->bytes == 0 ||
		recv(fd, payload, head->bytes, MSG_WAITALL) == (ssize_t)head->bytes);
}

/* The payload of the answer is in `payload`, as long as that of the question was. */
static bool is_question(struct head *head, uint64_t *payload)
{
	if (head->request == GET_FEATURES || head->request == GET_PROTOCOL_FEATURES) {
		*payload = head->request == GET_FEATURES ? FEATURES : 0;
		head->bytes = sizeof(*payload);
		return true;
	}
	return head->request == GET_VRING_BASE; /* the same queue and base */
}

static void *serve(void *argument)
{
	struct vhost_user *device = argument;
	uint64_t payload[PAYLOAD_MAX / 8];
	struct head head;

	while (receive(device->fd, &head, payload)) {
		if (head.request == SET_VRING_CALL && payload[0] & NO_FD)
			device->calls_without_fd++;
		if (!is_question(&head, payload))
			continue;
		head.flags = IS_REPLY;
		if (send(device->fd, &head, sizeof(head), MSG_NOSIGNAL | MSG_MORE) < 0 ||
		    send(device->fd, payload, head.bytes, MSG_NOSIGNAL) < 0)
			break;
	}
	return NULL;
}

struct vg_error *vhost_user_open(struct vhost_user **out, int *peer)
{
	struct vhost_user *device = calloc(1, sizeof(*device));
	int ends[2];

	if (!device)
		return vg_error_no_memory();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
		free(device);
		return vg_error_new(VG_FAILED, "cannot make a pair of sockets");
	}
	fcntl(ends[0], F_SETFD, FD_CLOEXEC);
	device->fd = ends[0];
	if (pthread_create(&device->thread, NULL, serve, device) != 0) {
		close(device->fd);
		close(ends[1]);
		free(device);
		return vg_error_new(VG_FAILED, "cannot start a thread");
	}
	*peer = ends[1];
	*out = device;
	return NULL;
}

unsigned int vhost_user_calls_without_fd(const struct vhost_user *device)
{
	return device->calls_without_fd;
}

void vhost_user_close(struct vhost_user *device)
{
	if (!device)
		return;
	shutdown(device->fd, SHUT_RDWR);
	pthread_join(device->thread, NULL);
	close(device->fd);
	free(device);
}
