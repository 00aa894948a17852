/* SPDX-License-Identifier: MIT */
/*
 * A lock and a main context for each listening socket, kept beside it: the struct has no room for
 * them, and listeners of the old layout are alive. A mutex whose bytes are all zero is an unlocked
 * one in glibc, so a shadow variable needs no initialisation, whoever comes first.
 */
#include "qemu/osdep.h"
#include "io/net-listener.h"

#include <vgraft/hooks.h>

#define GUARD 3 /* no other fix has it */

struct guard {
	pthread_mutex_t lock;
	GMainContext *context; /* the one that the callback runs in; NULL: the default */
};
VGRAFT_SHADOW_NEEDS(sizeof(struct guard));

void net_listener_lock(QIONetListener *listener);
void net_listener_unlock(QIONetListener *listener);
void net_listener_call(QIONetListener *listener, QIOChannelSocket *client);
void net_listener_take(QIONetListener *listener, QIONetListenerClientFunc func, gpointer data,
		       GDestroyNotify notify, GMainContext *context);
GMainContext *net_listener_context(QIONetListener *listener);
void net_listener_forget(QIONetListener *listener);

/* Without room for one more, a listener is as safe as it was. */
void net_listener_lock(QIONetListener *listener)
{
	struct guard *guard = vgraft_shadow_attach(listener, GUARD, sizeof(*guard));

	if (guard)
		pthread_mutex_lock(&guard->lock);
}

void net_listener_unlock(QIONetListener *listener)
{
	struct guard *guard = vgraft_shadow_get(listener, GUARD);

	if (guard)
		pthread_mutex_unlock(&guard->lock);
}

/* The callback is called without the lock: it may change itself. */
void net_listener_call(QIONetListener *listener, QIOChannelSocket *client)
{
	QIONetListenerClientFunc func;
	gpointer data;

	net_listener_lock(listener);
	func = listener->io_func;
	data = listener->io_data;
	net_listener_unlock(listener);
	if (func)
		func(listener, client, data);
}

/* With the lock held, and no source left that could call the old one. */
void net_listener_take(QIONetListener *listener, QIONetListenerClientFunc func, gpointer data,
		       GDestroyNotify notify, GMainContext *context)
{
	struct guard *guard = vgraft_shadow_get(listener, GUARD);

	if (listener->io_notify)
		listener->io_notify(listener->io_data);
	listener->io_func = func;
	listener->io_data = data;
	listener->io_notify = notify;
	if (guard)
		guard->context = context;
}

GMainContext *net_listener_context(QIONetListener *listener)
{
	struct guard *guard = vgraft_shadow_get(listener, GUARD);

	return guard ? guard->context : NULL;
}

void net_listener_forget(QIONetListener *listener)
{
	vgraft_shadow_free(listener, GUARD);
}
