/* SPDX-License-Identifier: MIT */
/* An eventfd as threads and KVM use it to wake each other. Any number of signals is one event. */
#ifndef VMM_EVENT_H
#define VMM_EVENT_H

#include "vmm/error.h"

struct vmm_error *event_create(int *fd) VMM_MUST_CHECK; /* blocking reads, close-on-exec */
void event_destroy(int *fd);
void event_signal(int fd);
void event_clear(int fd); /* waits for an event if there is none */

#endif
