/* SPDX-License-Identifier: MIT */
#include "vmm/ending.h"

#include "vmm/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static const char *const names[] = {
	[ENDING_NONE] = "none",
	[ENDING_RESET] = "reset",
	[ENDING_TRIPLE_FAULT] = "triple-fault",
	[ENDING_POWER_OFF] = "power-off",
	[ENDING_USER] = "user",
	[ENDING_SIGNAL] = "signal",
	[ENDING_FAILED] = "failed",
};

struct vmm_error *ending_create(struct ending *ending)
{
	*ending = (struct ending){.lock = PTHREAD_MUTEX_INITIALIZER, .event_fd = -1};
	return event_create(&ending->event_fd);
}

void ending_destroy(struct ending *ending)
{
	event_destroy(&ending->event_fd);
}

void ending_request(struct ending *ending, enum ending_reason reason, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&ending->lock);
	if (ending->reason == ENDING_NONE) {
		ending->reason = reason;
		va_start(args, format);
		if (format)
			vsnprintf(ending->text, sizeof(ending->text), format, args);
		va_end(args);
	}
	pthread_mutex_unlock(&ending->lock);
	event_signal(ending->event_fd);
}

enum ending_reason ending_reason(struct ending *ending)
{
	pthread_mutex_lock(&ending->lock);
	enum ending_reason reason = ending->reason;
	pthread_mutex_unlock(&ending->lock);
	return reason;
}

const char *ending_name(enum ending_reason reason)
{
	return names[reason];
}
