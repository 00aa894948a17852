/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int area(int side);

static volatile sig_atomic_t handled, strange;

static void on_timer(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	handled++;
	if (info->si_code != SI_TIMER || info->si_value.sival_int != 77)
		strange = 1;
}

/* A line of input, byte by byte; read() is interrupted by signals and goes on. */
static int read_line(char *line, int room)
{
	for (int length = 0; length < room;) {
		ssize_t got = read(0, line + length, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return 0;
		if (line[length++] == '\n')
			return line[length - 1] = '\0', 1;
	}
	return 0;
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec often = {{0, 500000}, {0, 500000}};
	char line[64];
	timer_t timer;

	event.sigev_value.sival_int = 77;
	if (sigaction(SIGRTMIN, &action, NULL) != 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &often, NULL) != 0)
		return 1;
	while (read_line(line, sizeof(line))) {
		int before = handled;

		while (handled == before)
			pause();
		printf("%d %s\n", area(atoi(line)), strange ? "strange" : "steady");
		fflush(stdout);
	}
	return 0;
}
