/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int ended, seen;

void wait_for_end(void)
{
	pthread_mutex_lock(&mutex);
	while (!ended)
		pthread_cond_wait(&changed, &mutex);
	seen = 1;
	pthread_mutex_unlock(&mutex);
}

void tell_end(void)
{
	pthread_mutex_lock(&mutex);
	ended = 1 + seen;
	pthread_cond_signal(&changed);
	pthread_mutex_unlock(&mutex);
}
