/* SPDX-License-Identifier: MIT */
#include <signal.h>

int deliver(int times);

static volatile sig_atomic_t seen;

static void on_signal(int number)
{
	(void)number;
	seen += 1;
}

int deliver(int times)
{
	struct sigaction action = {.sa_handler = on_signal};
	static int installed;

	if (!installed)
		installed = sigaction(SIGUSR1, &action, 0) == 0;
	while (times-- > 0)
		raise(SIGUSR1);
	return seen;
}
