/* SPDX-License-Identifier: MIT */
/* An eventfd as threads and KVM use it to wake each other. Any number of signals is one event. */
#ifndef VMM_EVENT_H
#define VMM_EVENT_H

#include "vmm/error.h"

#include <stdbool.h>

struct vmm_error *event_create(int *fd) VMM_MUST_CHECK; /* blocking reads, close-on-exec */
void event_destroy(int *fd);
void event_signal(int fd);
void event_clear(int fd); /* waits for an event if there is none */

/*
 * Whether a wait that failed with `error` is worth another try at once: a signal or a debugger's
 * stop came, or there was nothing. Anything else would fail again, and again, and burn a CPU.
 */
bool event_is_routine(int error);

#endif
