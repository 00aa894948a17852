// SPDX-License-Identifier: MIT
/*
 * The network stream: a window of numbered frames that are on their way, each of which must come
 * back once, in order, as the answer that its number calls for.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/qemu/guest/guest.h"
#include "tests/qemu/guest/stream.h"

#define INTERFACE    "eth0"
#define CARRIER_MS   50000
#define LOST_SECONDS 60 /* an answer that takes longer never comes */

static struct {
	struct counters *counters;
	const atomic_bool *stop;
	int socket;
	unsigned char mac[STREAM_MAC_BYTES];
	pthread_t thread;
} stream;

static void set_up(struct ifreq *request)
{
	request->ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(stream.socket, SIOCSIFFLAGS, request) != 0)
		give_up("cannot bring %s up: %s", INTERFACE, strerror(errno));
}

/*
 * Until the kernel has taken notice of the carrier it drops frames, and send() says that all is
 * well. It lets go of the lock that the last call waits for when it has begun to take frames.
 */
static void wait_for_carrier(struct ifreq *request)
{
	for (int i = 0; i < CARRIER_MS; i++) {
		if (ioctl(stream.socket, SIOCGIFFLAGS, request) == 0 &&
		    request->ifr_flags & IFF_RUNNING) {
			set_up(request);
			return;
		}
		usleep(1000);
	}
	give_up("%s has no carrier", INTERFACE);
}

static void bring_up(void)
{
	struct ifreq request = {.ifr_name = INTERFACE};
	struct timeval limit = {.tv_sec = LOST_SECONDS};

	stream.socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(STREAM_ETHERTYPE));
	if (stream.socket < 0 || ioctl(stream.socket, SIOCGIFHWADDR, &request) != 0)
		give_up("no %s: %s", INTERFACE, strerror(errno));
	memcpy(stream.mac, request.ifr_hwaddr.sa_data, sizeof(stream.mac));
	set_up(&request);
	wait_for_carrier(&request);
	if (ioctl(stream.socket, SIOCGIFINDEX, &request) != 0)
		give_up("%s has no index: %s", INTERFACE, strerror(errno));

	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(STREAM_ETHERTYPE),
				      .sll_ifindex = request.ifr_ifindex};

	if (bind(stream.socket, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    setsockopt(stream.socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
		give_up("cannot use %s: %s", INTERFACE, strerror(errno));
}

static void send_frame(uint64_t number, uint64_t *random)
{
	static const unsigned char type[2] = {STREAM_ETHERTYPE >> 8, STREAM_ETHERTYPE & 0xff};
	unsigned char frame[STREAM_FRAME_MAX];
	size_t bytes = STREAM_FRAME_MIN +
		       stream_random(random) % (STREAM_FRAME_MAX - STREAM_FRAME_MIN + 1);

	memset(frame, 0xff, STREAM_MAC_BYTES);
	memcpy(frame + STREAM_MAC_BYTES, stream.mac, STREAM_MAC_BYTES);
	memcpy(frame + 2 * STREAM_MAC_BYTES, type, sizeof(type));
	stream_fill(frame + STREAM_ETHER_HEADER, bytes - STREAM_ETHER_HEADER,
		    &(struct stream_header){STREAM_REQUEST, number, 0});
	if (send(stream.socket, frame, bytes, 0) != (ssize_t)bytes)
		stream.counters->corrupt++;
}

/* Every byte right, and an answer. */
static bool read_answer(const unsigned char *frame, ssize_t got, struct stream_header *found)
{
	if (got < STREAM_FRAME_MIN ||
	    !stream_is_whole(frame + STREAM_ETHER_HEADER, (size_t)got - STREAM_ETHER_HEADER))
		return false;
	memcpy(found, frame + STREAM_ETHER_HEADER, sizeof(*found));
	return found->kind == STREAM_ANSWER;
}

/* False if no more answers come. */
static bool take_answer(uint64_t expected)
{
	unsigned char frame[STREAM_FRAME_MAX + 1];
	struct stream_header found;
	ssize_t got;
	bool whole;

	do {
		got = recv(stream.socket, frame, sizeof(frame), 0);
		if (got < 0) {
			stream.counters->lost++;
			return false;
		}
		whole = read_answer(frame, got, &found);
	} while (whole && found.number < expected && found.sequence == STREAM_AGAIN);
	if (!whole || found.number < expected)
		stream.counters->corrupt++;
	else if (found.number > expected)
		stream.counters->lost++;
	else
		stream.counters->verified++;
	return true;
}

static void *run(void *argument)
{
	uint64_t sent = 0, answered = 0, random = 1;

	(void)argument;
	while (!*stream.stop || answered < sent) {
		while (!*stream.stop && sent - answered < STREAM_WINDOW)
			send_frame(++sent, &random);
		if (answered < sent && !take_answer(++answered))
			break;
	}
	return NULL;
}

void net_start(struct counters *counters, const atomic_bool *stop)
{
	stream.counters = counters;
	stream.stop = stop;
	bring_up();
	if (pthread_create(&stream.thread, NULL, run, NULL) != 0)
		give_up("cannot start a thread");
}

void net_join(void)
{
	pthread_join(stream.thread, NULL);
	close(stream.socket);
}
