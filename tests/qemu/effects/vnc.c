/* SPDX-License-Identifier: MIT */
/* The VNC server, as its clients see it. RFC 6143 (RFB), RFC 6455 (websockets). */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/text_file.h"
#include "tests/lib/command.h"
#include "tests/qemu/effects/effects.h"

/* It takes the first pair of ports that is free. */
static const char *const screen[] = {
	"-vnc", "127.0.0.1:0,to=999,websocket=on,connections=1", "-device", "bochs-display", NULL,
};

struct vg_error *effect_stage_vnc(struct effect_stage *stage)
{
	return effect_stage_halted(screen, stage);
}

static struct vg_error *find_port(struct effect_stage *stage, bool websocket, uint16_t *port)
{
	_cleanup_answer_ json_t *answer = NULL;
	const json_t *server;
	size_t i;

	VG_TRY(vg_qmp_ask(vg_qemu_qmp(stage->qemu), "query-vnc-servers", NULL, &answer));
	json_array_foreach(json_object_get(json_array_get(answer, 0), "server"), i, server)
	{
		if (json_is_true(json_object_get(server, "websocket")) != websocket)
			continue;
		*port = (uint16_t)strtoul(vg_answer_text(server, "service"), NULL, 10);
		return NULL;
	}
	return vg_error_new(VG_FAILED, "QEMU has no VNC server");
}

static struct vg_error *connect_client(struct effect_stage *stage, bool websocket, int *client)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval limit = {.tv_sec = VG_HANG_SECONDS};
	uint16_t port;

	VG_TRY(find_port(stage, websocket, &port));
	address.sin_port = htons(port);
	*client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*client < 0 ||
	    setsockopt(*client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0 ||
	    connect(*client, (struct sockaddr *)&address, sizeof(address)) != 0)
		return vg_error_new(VG_FAILED, "cannot connect to the VNC server");
	return NULL;
}

static struct vg_error *put(int client, const void *bytes, size_t count)
{
	if (send(client, bytes, count, MSG_NOSIGNAL) != (ssize_t)count)
		return vg_error_new(VG_FAILED, "the VNC server has gone");
	return NULL;
}

static struct vg_error *get(int client, void *bytes, size_t count)
{
	if (recv(client, bytes, count, MSG_WAITALL) != (ssize_t)count)
		return vg_error_new(VG_FAILED, "the VNC server says no more");
	return NULL;
}

/* ---- websockets */

#define HANDSHAKE                                                                                  \
	"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"               \
	"Origin: http://x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"                      \
	"Sec-WebSocket-Protocol: binary\r\nSec-WebSocket-Version: 13\r\n\r\n"

static struct vg_error *trace(struct effect_stage *stage, const char *event)
{
	return vg_qmp_ask(vg_qemu_qmp(stage->qemu), "trace-event-set-state",
			  json_pack("{s:s, s:b}", "name", event, "enable", 1), NULL);
}

/* Until the server has said something; false: it has closed its end instead. */
static bool is_answered(int client)
{
	char byte;

	return recv(client, &byte, 1, MSG_PEEK) == 1;
}

/*
 * The first client is dropped in its handshake since a second one comes; a third one gets the file
 * descriptor that it had. What the third one sends wakes the handshake of the first, if that is
 * still there: it reads from a closed socket, and tells the freed client that it failed.
 */
struct vg_error *effect_websocket(struct effect_stage *stage, bool *fixed)
{
	struct vg_process *process = vg_qemu_process(stage->qemu);
	_cleanup_close_ int first = -1, second = -1, third = -1;
	size_t from = process->messages.length;

	VG_TRY(trace(stage, "vnc_client_io_wrap"));
	VG_TRY(trace(stage, "qio_channel_websock_handshake_fail"));
	VG_TRY(connect_client(stage, true, &first));
	VG_TRY(put(first, "GET", 3));
	VG_TRY(vg_process_wait_text(process, &process->messages, from, "type=websock", NULL));
	VG_TRY(connect_client(stage, true, &second));
	if (is_answered(first))
		return vg_error_new(VG_FAILED, "the VNC server keeps a client too many");
	VG_TRY(connect_client(stage, true, &third));
	VG_TRY(put(third, HANDSHAKE, sizeof(HANDSHAKE) - 1));
	*fixed = is_answered(third);
	VG_TRY(vg_process_pump(process, 0));
	if (strstr(process->messages.text + from, "Bad file descriptor"))
		*fixed = false;
	return NULL;
}

/* ---- zlib encoding */

#define ZLIB	6
#define CLIENTS 16UL
/* A client's compressor has 268 KB (zlib.h, deflateInit2(), the default sizes). */
#define MOST_KB (CLIENTS * 100)

struct rectangle {
	uint16_t x, y, width, height;
	uint32_t encoding;
} __attribute__((packed));

static struct vg_error *skip(int client, size_t count)
{
	char bytes[4096];

	for (size_t some; count; count -= some) {
		some = count < sizeof(bytes) ? count : sizeof(bytes);
		VG_TRY(get(client, bytes, some));
	}
	return NULL;
}

/* Version, no authentication, shared; the screen's size and name; zlib is the only encoding. */
static struct vg_error *greet(int client, uint16_t size[2])
{
	static const unsigned char encodings[] = {2, 0, 0, 1, 0, 0, 0, ZLIB};
	uint32_t length;
	uint8_t types;

	VG_TRY(skip(client, 12));
	VG_TRY(put(client, "RFB 003.008\n", 12));
	VG_TRY(get(client, &types, 1));
	VG_TRY(skip(client, types));
	VG_TRY(put(client, "\1", 1));
	VG_TRY(skip(client, 4));
	VG_TRY(put(client, "\1", 1));
	VG_TRY(get(client, size, 4));
	VG_TRY(skip(client, 16));
	VG_TRY(get(client, &length, 4));
	VG_TRY(skip(client, ntohl(length)));
	return put(client, encodings, sizeof(encodings));
}

/* 4 bytes for each pixel, which is how the screen has them. */
static struct vg_error *unpack(struct effect_viewer *viewer, const struct rectangle *rectangle,
			       size_t length)
{
	size_t bytes = 4UL * ntohs(rectangle->width) * ntohs(rectangle->height);
	_cleanup_free_ unsigned char *packed = malloc(length), *pixels = malloc(bytes);
	z_stream *stream = &viewer->decompressor;

	if (!packed || !pixels)
		return vg_error_no_memory();
	VG_TRY(get(viewer->client, packed, length));
	stream->next_in = packed;
	stream->avail_in = (uInt)length;
	stream->next_out = pixels;
	stream->avail_out = (uInt)bytes;
	if (inflate(stream, Z_SYNC_FLUSH) != Z_OK || stream->avail_in || stream->avail_out)
		return vg_error_new(
			VG_FAILED, "what the VNC server sends does not go on from its last update");
	return NULL;
}

static struct vg_error *take_rectangle(struct effect_viewer *viewer)
{
	struct rectangle rectangle;
	uint32_t length;

	VG_TRY(get(viewer->client, &rectangle, sizeof(rectangle)));
	VG_TRY(get(viewer->client, &length, sizeof(length)));
	if (ntohl(rectangle.encoding) != ZLIB || !length)
		return vg_error_new(VG_FAILED, "the VNC server does not compress");
	return unpack(viewer, &rectangle, ntohl(length));
}

struct vg_error *effect_viewer_update(struct effect_viewer *viewer)
{
	const uint16_t request[5] = {htons(0x0300), 0, 0, viewer->size[0], viewer->size[1]};
	uint16_t head[2];

	VG_TRY(put(viewer->client, request, sizeof(request)));
	VG_TRY(get(viewer->client, head, sizeof(head)));
	for (int left = ntohs(head[1]); left; left--)
		VG_TRY(take_rectangle(viewer));
	return NULL;
}

struct vg_error *effect_viewer_open(struct effect_stage *stage, struct effect_viewer *viewer)
{
	*viewer = (struct effect_viewer){.client = -1};
	if (inflateInit(&viewer->decompressor) != Z_OK)
		return vg_error_no_memory();
	VG_TRY(connect_client(stage, false, &viewer->client));
	return greet(viewer->client, viewer->size);
}

void effect_viewer_close(struct effect_viewer *viewer)
{
	if (viewer->client >= 0)
		close(viewer->client);
	viewer->client = -1;
	inflateEnd(&viewer->decompressor);
}

static struct vg_error *one_client(struct effect_stage *stage)
{
	_cleanup_viewer_ struct effect_viewer viewer;

	VG_TRY(effect_viewer_open(stage, &viewer));
	VG_TRY(effect_viewer_update(&viewer));
	return effect_viewer_update(&viewer);
}

static struct vg_error *memory_of(const struct effect_stage *stage, unsigned long *kb)
{
	_cleanup_free_ char *text = NULL;
	const char *line;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)vg_qemu_pid(stage->qemu));
	VG_TRY(vg_text_file_read(path, &text, NULL));
	line = strstr(text, "RssAnon:");
	*kb = line ? strtoul(line + 8, NULL, 10) : 0;
	return NULL;
}

/* The compressor of a client that has gone is freed. */
struct vg_error *effect_vnc_zlib(struct effect_stage *stage, bool *fixed)
{
	unsigned long before, after;

	for (int i = 0; i < 8; i++)
		VG_TRY(one_client(stage)); /* what QEMU keeps to use it again */
	VG_TRY(memory_of(stage, &before));
	for (unsigned long i = 0; i < CLIENTS; i++)
		VG_TRY(one_client(stage));
	VG_TRY(memory_of(stage, &after));
	*fixed = after < before + MOST_KB;
	return NULL;
}
