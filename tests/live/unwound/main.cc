// SPDX-License-Identifier: MIT
//
// Unwinds through C functions that are patched meanwhile: each letter on standard input is answered
// with one line.
//
//   r  returns through them      t  throws an exception through them
//   b  looks for main() with backtrace()
//   c  cancels a thread that waits below them
//   w  a thread waits below them until the next w
//   p  calls them in a loop while a timer's signals look for main() with backtrace()
//   l  calls them in a loop for two seconds
#include <csignal>
#include <cstdio>
#include <ctime>
#include <execinfo.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/time.h>
#include <unistd.h>

#include "steps.h"

static int cleaned;
static void *in_main;
static sem_t waits, go_on;

struct Cleanup {
	~Cleanup() { cleaned++; }
};

static int give_back(int value)
{
	return value;
}

static int throw_it(int value)
{
	throw value;
}

static bool sees_main()
{
	void *frames[64];
	int count = backtrace(frames, 64);

	for (int i = 0; i < count; i++)
		if (frames[i] == in_main)
			return true;
	return false;
}

static int look_for_main(int)
{
	return sees_main() ? 100 : 0;
}

static int wait(int value)
{
	sem_post(&waits);
	while (sem_wait(&go_on) != 0)
		;
	return value;
}

__attribute__((noinline)) static int call(int (*what)(int), int value)
{
	Cleanup cleanup;

	in_main = __builtin_return_address(0);
	step = what;
	return outer(value);
}

__attribute__((noinline)) static void throw_and_catch()
{
	try {
		printf("returned %d\n", call(throw_it, 7));
	} catch (int thrown) {
		printf("thrown %d cleaned %d\n", thrown, cleaned);
	}
}

static void *waiting_thread(void *)
{
	call(wait, 0);
	return nullptr;
}

static void start_waiting(pthread_t *thread)
{
	pthread_create(thread, nullptr, waiting_thread, nullptr);
	sem_wait(&waits);
}

static void cancel()
{
	pthread_t thread;
	void *result;

	start_waiting(&thread);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	printf("cancelled %d cleaned %d\n", result == PTHREAD_CANCELED, cleaned);
}

static void toggle_waiting()
{
	static pthread_t thread;
	static bool is_waiting;

	if (is_waiting) {
		sem_post(&go_on);
		pthread_join(thread, nullptr);
	} else {
		start_waiting(&thread);
	}
	is_waiting = !is_waiting;
	printf("waiting %d\n", is_waiting);
}

static volatile int samples, blind;

/* For so long, and until there are that many samples. */
__attribute__((noinline)) static void loop(int seconds, int wanted)
{
	time_t end = time(nullptr) + seconds;
	int sum = 0;

	in_main = __builtin_return_address(0);
	step = give_back;
	while (time(nullptr) < end || samples < wanted)
		for (int i = 0; i < 1000000; i++)
			sum += outer(i);
	printf("looped %d\n", sum != 1);
}

static void sample(int)
{
	samples = samples + 1;
	if (!sees_main())
		blind = blind + 1;
}

static void set_timer(int microseconds)
{
	struct itimerval timer = {{0, microseconds}, {0, microseconds}};

	setitimer(ITIMER_PROF, &timer, nullptr);
}

int main()
{
	signal(SIGPROF, sample);
	sem_init(&waits, 0, 0);
	sem_init(&go_on, 0, 0);
	puts("ready");
	fflush(stdout);
	for (int command; (command = getchar()) != EOF;) {
		cleaned = 0;
		samples = blind = 0;
		if (command == 'r')
			printf("returned %d\n", call(give_back, 0));
		else if (command == 't')
			throw_and_catch();
		else if (command == 'b')
			printf("traced %d\n", call(look_for_main, 0) >= 100);
		else if (command == 'p') {
			set_timer(1000);
			loop(1, 1000);
			set_timer(0);
			printf("sampled %d blind %d\n", samples >= 1000, blind);
		} else if (command == 'c')
			cancel();
		else if (command == 'w')
			toggle_waiting();
		else if (command == 'l')
			loop(2, 0);
		fflush(stdout);
	}
	return 0;
}
