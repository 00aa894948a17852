// SPDX-License-Identifier: MIT
/*
 * As stack_target, but its stacks grow piece by piece (gcc -fsplit-stack): `stack_split MODE` has
 * the frames of one thread on several pieces that are not neighbours. The changed function is on
 * one in the middle, and made none of the pieces, so that no other one has an address in it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "stack_wait.h"

/* The next piece shall not come to lie beside the one before. */
KEEP static void keep_apart(void)
{
	if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		exit(3);
}

/* Each call on a piece of its own. */
KEEP static void go_deep(unsigned depth)
{
	volatile char room[20000];

	keep_apart();
	room[0] = room[sizeof(room) - 1] = 0;
	if (depth)
		go_deep(depth - 1);
	else
		wait_here();
	BARRIER;
}

KEEP static void go_on(void)
{
	go_deep(3);
	BARRIER;
}

CHANGED static void changed(void)
{
	go_on();
	BARRIER;
}

/* The changed function is long gone when the thread goes on; what it left stays on the stack. */
CHANGED static void changed_and_back(void)
{
	keep_apart();
	BARRIER;
}

KEEP static void idle(void)
{
	changed_and_back();
	go_on();
	BARRIER;
}

static void idle_without_cfi(void)
{
	call_without_cfi(go_on);
	BARRIER;
}

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {{"busy", changed}, {"idle", idle}, {"without-cfi", idle_without_cfi}};

static void (*wanted)(void);

/* A new piece begins, with room for who is called. */
KEEP static void begin_piece(void)
{
	volatile char room[30000];

	keep_apart();
	room[0] = room[sizeof(room) - 1] = 0;
	wanted();
	BARRIER;
}

static void *run(void *argument)
{
	begin_piece();
	return argument;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(modes[i].name, argv[1]))
			wanted = modes[i].run;
	if (!wanted || pthread_create(&thread, NULL, run, NULL))
		return 2;
	pthread_join(thread, NULL);
	return 0;
}
