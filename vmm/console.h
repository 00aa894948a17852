/* SPDX-License-Identifier: MIT */
/*
 * The console thread: standard input into the serial port, the serial port to standard output.
 * A terminal is put into raw mode for as long as the machine runs; there ctrl-a x ends the VMM
 * and ctrl-a ctrl-a sends one ctrl-a. End of file on standard input ends only the input.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include "vmm/ending.h"
#include "vmm/serial.h"

#include <poll.h>
#include <stdatomic.h>
#include <termios.h>

struct console {
	struct serial *serial;
	struct ending *ending;
	int input_fd;  /* -1 after end of file */
	int output_fd; /* -1 once nobody reads any more */
	int wake_fd;
	bool is_raw;
	bool escaped; /* the last byte typed was ctrl-a */
	struct termios saved;
	atomic_bool draining; /* the machine ended: write what is left, then end */
	atomic_bool hurried;  /* and do not wait for the reader */
	pthread_t thread;
	bool thread_runs;
};

/* What the console's loop waits for. */
struct console_wait {
	struct pollfd fds[3];
	struct timespec timeout;
	bool has_timeout;
};

struct vmm_error *console_create(struct console *console, struct serial *serial,
				 struct ending *ending) VMM_MUST_CHECK;
void console_destroy(struct console *console); /* restores the terminal */

/* The two halves of one turn of the console's loop; `error` is the wait's errno or 0. False: the
 * thread shall end. */
void console_prepare(struct console *console, struct console_wait *wait);
bool console_turn(struct console *console, const struct console_wait *wait, int error);

/* Asks the thread to write out what is left, or what goes without waiting, and to end. */
void console_drain(struct console *console, bool hurried);

#endif
