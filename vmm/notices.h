/* SPDX-License-Identifier: MIT */
/*
 * Sentences for the operator from any thread while the guest runs; main's wait prints them. A
 * guest can cause them, so only the first few are kept: it shall not fill anybody's log.
 */
#ifndef VMM_NOTICES_H
#define VMM_NOTICES_H

#include "vmm/error.h"

#include <pthread.h>

#define NOTICES_MOST 16
#define NOTICE_SIZE  160

struct notices {
	pthread_mutex_t lock;
	unsigned posted; /* stops at NOTICES_MOST */
	unsigned taken;
	char texts[NOTICES_MOST][NOTICE_SIZE];
	int event_fd; /* readable when there is something to take */
};

struct vmm_error *notices_create(struct notices *notices) VMM_MUST_CHECK;
void notices_destroy(struct notices *notices);
void notices_post(struct notices *notices, const char *format, ...) VMM_PRINTF(2, 3);

/* The next notice, which stays valid, or NULL. */
const char *notices_take(struct notices *notices);

#endif
