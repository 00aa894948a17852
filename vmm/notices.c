/* SPDX-License-Identifier: MIT */
#include "vmm/notices.h"

#include "vmm/event.h"

#include <stdarg.h>
#include <stdio.h>

struct vmm_error *notices_create(struct notices *notices)
{
	*notices = (struct notices){.lock = PTHREAD_MUTEX_INITIALIZER, .event_fd = -1};
	return event_create(&notices->event_fd);
}

void notices_destroy(struct notices *notices)
{
	event_destroy(&notices->event_fd);
}

void notices_post(struct notices *notices, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&notices->lock);
	if (notices->posted < NOTICES_MOST) {
		va_start(args, format);
		vsnprintf(notices->texts[notices->posted++], NOTICE_SIZE, format, args);
		va_end(args);
	}
	pthread_mutex_unlock(&notices->lock);
	event_signal(notices->event_fd);
}

const char *notices_take(struct notices *notices)
{
	const char *text = NULL;

	pthread_mutex_lock(&notices->lock);
	if (notices->taken < notices->posted)
		text = notices->texts[notices->taken++];
	pthread_mutex_unlock(&notices->lock);
	return text;
}
