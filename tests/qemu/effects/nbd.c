/* SPDX-License-Identifier: MIT */
/* The server of the NBD protocol (doc/proto.md of nbd, "newstyle negotiation"), as a client sees
 * it. */
#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/unix_socket.h"
#include "tests/qemu/effects/effects.h"

#define GREETING     18 /* bytes: two magic words and the server's flags */
#define OPTION_REPLY 20
#define STARTTLS     5

static void name_socket(const struct effect_stage *stage, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/nbd.sock", vg_qemu_folder(stage->qemu));
}

/* On a socket of its own, encrypted if `credentials` is not NULL. */
static struct vg_error *open_server(struct effect_stage *stage, const char *credentials)
{
	char path[PATH_MAX];

	name_socket(stage, path);
	return vg_qmp_ask(vg_qemu_qmp(stage->qemu), "nbd-server-start",
			  json_pack("{s:{s:s, s:{s:s}}, s:s*}", "addr", "type", "unix", "data",
				    "path", path, "tls-creds", credentials),
			  NULL);
}

static struct vg_error *connect_to_server(struct effect_stage *stage, int *client)
{
	char path[PATH_MAX], greeting[GREETING];

	name_socket(stage, path);
	VG_TRY(vg_unix_connect(path, client));
	if (recv(*client, greeting, sizeof(greeting), MSG_WAITALL) != sizeof(greeting) ||
	    memcmp(greeting, "NBDMAGICIHAVEOPT", 16) != 0)
		return vg_error_new(VG_FAILED, "the NBD server does not greet");
	return NULL;
}

/* A client goes away in its handshake; QEMU has closed its end too. */
static void leave(int client)
{
	char rest;

	shutdown(client, SHUT_WR);
	while (recv(client, &rest, 1, 0) > 0)
		continue;
}

/* Unpatched or not, QEMU does not come back from it while a client is in its handshake. */
static struct vg_error *close_server(struct effect_stage *stage)
{
	return vg_qmp_ask(vg_qemu_qmp(stage->qemu), "nbd-server-stop", NULL, NULL);
}

struct vg_error *effect_listener_open(struct effect_stage *stage)
{
	return open_server(stage, NULL);
}

struct vg_error *effect_listener_call(struct effect_stage *stage)
{
	_cleanup_close_ int client = -1;

	VG_TRY(connect_to_server(stage, &client));
	leave(client);
	return NULL;
}

struct vg_error *effect_listener_close(struct effect_stage *stage)
{
	return close_server(stage);
}

/* A listener that is opened, called and closed. */
struct vg_error *effect_run_listener(struct effect_stage *stage, bool *fixed)
{
	(void)fixed;
	VG_TRY(effect_listener_open(stage));
	VG_TRY(effect_listener_call(stage));
	return effect_listener_close(stage);
}

static struct vg_error *ask_for_tls(int client)
{
	const struct __attribute__((packed)) {
		uint32_t flags;
		char magic[8];
		uint32_t option, length;
	} request = {htonl(3), {'I', 'H', 'A', 'V', 'E', 'O', 'P', 'T'}, htonl(STARTTLS), 0};
	char reply[OPTION_REPLY];

	if (send(client, &request, sizeof(request), MSG_NOSIGNAL) != sizeof(request) ||
	    recv(client, reply, sizeof(reply), MSG_WAITALL) != sizeof(reply))
		return vg_error_new(VG_FAILED, "the NBD server does not begin TLS");
	return NULL;
}

/* A client that goes away in the TLS handshake. Its channel is closed and freed. */
struct vg_error *effect_run_tls(struct effect_stage *stage, bool *fixed)
{
	struct vg_qmp *qmp = vg_qemu_qmp(stage->qemu);
	_cleanup_close_ int client = -1;

	(void)fixed;
	VG_TRY(vg_qmp_ask(qmp, "object-add",
			  json_pack("{s:s, s:s, s:s}", "qom-type", "tls-creds-anon", "id",
				    "anonymous", "endpoint", "server"),
			  NULL));
	VG_TRY(open_server(stage, "anonymous"));
	VG_TRY(connect_to_server(stage, &client));
	VG_TRY(ask_for_tls(client));
	leave(client);
	VG_TRY(close_server(stage));
	return vg_qmp_ask(qmp, "object-del", json_pack("{s:s}", "id", "anonymous"), NULL);
}
