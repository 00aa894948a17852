/* SPDX-License-Identifier: MIT */
/*
 * How the machine comes to an end: any thread asks for it, the first one wins, main's wait wakes.
 */
#ifndef VMM_ENDING_H
#define VMM_ENDING_H

#include "vmm/error.h"

#include <pthread.h>
#include <stdbool.h>

enum ending_reason {
	ENDING_NONE,
	ENDING_RESET,	     /* the guest reset itself: i8042, reset control register */
	ENDING_TRIPLE_FAULT, /* a reset too, but rarely a wanted one */
	ENDING_POWER_OFF,    /* the guest powered itself off */
	ENDING_USER,	     /* ctrl-a x on the console */
	ENDING_SIGNAL,	     /* SIGTERM, SIGINT or SIGHUP */
	ENDING_FAILED,	     /* see text */
};

struct ending {
	pthread_mutex_t lock;
	enum ending_reason reason;
	int signal;	/* for ENDING_SIGNAL */
	char text[256]; /* for ENDING_FAILED and ENDING_TRIPLE_FAULT: one sentence */
	int event_fd;	/* readable once somebody asked */
};

struct vmm_error *ending_create(struct ending *ending) VMM_MUST_CHECK;
void ending_destroy(struct ending *ending);

/* `format` NULL: there is nothing to add to the reason. */
void ending_request(struct ending *ending, enum ending_reason reason, const char *format, ...)
	VMM_PRINTF(3, 4);

/* The reason so far. */
enum ending_reason ending_reason(struct ending *ending);
const char *ending_name(enum ending_reason reason);

#endif
