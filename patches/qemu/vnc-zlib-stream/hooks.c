/* SPDX-License-Identifier: MIT */
/*
 * A home for each VNC client's z_stream. zlib's state points back to the stream that it was made
 * for, and zlib refuses any other; but each update is encoded with a copy of the client's state on
 * a worker's stack. What does not move is the client's VncTight, which all copies point to: the
 * stream is a shadow variable of that.
 *
 * A client that is connected already has a stream whose owner is the copy on the stack that it was
 * made in: the address that is in its `opaque`. Its owner is changed, so that the client's
 * decompressor can go on; before a revert it is changed back. The pointer to the owner is the first
 * member of zlib's state; that it holds the very address expected shows that this is so.
 *
 * A patch that replaces this one gets the streams at other addresses, and owns them anew. If vgraft
 * is killed before its hook has, clients come first: so whoever uses a stream owns it.
 */
#include "qemu/osdep.h"
#include "ui/vnc.h"

#include <vgraft/hooks.h>

VGRAFT_SHADOW_NEEDS(sizeof(z_stream));

#define STREAM 1 /* no other fix has it */

z_streamp vnc_zlib_home(VncState *vs);
void vnc_zlib_remember(VncState *vs, z_streamp home);
void vnc_zlib_release(VncState *vs);

static z_streamp *owner_of(const z_stream *stream)
{
	return (z_streamp *)stream->state;
}

/* The stream within the copy that it was made in. Only its address counts: the copy is gone. */
static z_streamp first_owner(const z_stream *stream)
{
	return (z_streamp)((char *)stream->opaque + offsetof(VncState, zlib.stream));
}

static void own(z_streamp home)
{
	if (home->state)
		*owner_of(home) = home;
}

static bool adopt(z_streamp home, const z_stream *stream)
{
	if (!stream->state || *owner_of(stream) != first_owner(stream))
		return false;
	*home = *stream;
	own(home);
	return true;
}

/* NULL: it cannot be had; the update is left out, as after any other error of zlib's. */
z_streamp vnc_zlib_home(VncState *vs)
{
	z_streamp home = vgraft_shadow_get(vs->tight, STREAM);

	if (!home) {
		home = vgraft_shadow_attach(vs->tight, STREAM, sizeof(*home));
		if (home && vs->zlib.stream.opaque && !adopt(home, &vs->zlib.stream)) {
			vgraft_shadow_free(vs->tight, STREAM);
			home = NULL;
		}
	}
	if (home && home->opaque) {
		home->opaque = vs; /* it is initialised, says the old code by this */
		own(home);
	}
	return home;
}

/* So that the client's own copy can go on with it after a revert. */
void vnc_zlib_remember(VncState *vs, z_streamp home)
{
	vs->zlib.stream = *home;
}

void vnc_zlib_release(VncState *vs)
{
	z_streamp home = vgraft_shadow_get(vs->tight, STREAM);

	if (!home)
		return;
	if (home->opaque) {
		own(home);
		deflateEnd(home);
	}
	vgraft_shadow_free(vs->tight, STREAM);
	vs->zlib.stream.opaque = NULL;
}

static void own_all(void)
{
	size_t position = 0;

	for (z_streamp home; (home = vgraft_shadow_next(STREAM, &position, NULL));)
		own(home);
}
VGRAFT_POST_APPLY(own_all)

static int give_back(void)
{
	size_t position = 0;

	for (z_streamp home; (home = vgraft_shadow_next(STREAM, &position, NULL));)
		if (home->state)
			*owner_of(home) = first_owner(home);
	return 0;
}
VGRAFT_PRE_REVERT(give_back)
