/* SPDX-License-Identifier: MIT */
#include "vmm/console.h"

#include "vmm/event.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/*
 * A pipe that polls writable takes 4 KiB and a terminal 256 bytes without making us wait, and
 * nothing but poll() in the thread's loop is allowed to wait.
 */
#define WRITE_MOST 256
#define ESCAPE	   0x01 /* ctrl-a */

enum { WAIT_WAKE, WAIT_INPUT, WAIT_OUTPUT };

/* A background job that touches its terminal's modes would be stopped. */
static bool is_our_terminal(int fd)
{
	return isatty(fd) && tcgetpgrp(fd) == getpgrp();
}

static struct vmm_error *terminal_make_raw(struct console *console)
{
	struct termios raw;

	if (!is_our_terminal(console->input_fd))
		return NULL;
	if (tcgetattr(console->input_fd, &console->saved) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "cannot ask for the terminal's mode");
	raw = console->saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* our own messages go to the same terminal */
	if (tcsetattr(console->input_fd, TCSANOW, &raw) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "cannot put the terminal in raw mode");
	console->is_raw = true;
	return NULL;
}

struct vmm_error *console_create(struct console *console, struct serial *serial,
				 struct ending *ending)
{
	*console = (struct console){
		.serial = serial,
		.ending = ending,
		.input_fd = STDIN_FILENO,
		.output_fd = STDOUT_FILENO,
		.wake_fd = -1,
	};
	VMM_TRY(event_create(&console->wake_fd));
	serial->wake_fd = console->wake_fd;
	return terminal_make_raw(console);
}

void console_destroy(struct console *console)
{
	if (console->is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &console->saved);
	console->is_raw = false;
	event_destroy(&console->wake_fd);
}

void console_drain(struct console *console, bool hurried)
{
	atomic_store(&console->hurried, hurried);
	atomic_store(&console->draining, true);
	event_signal(console->wake_fd);
}

/* poll() leaves negative descriptors alone: that is how a side that has nothing to do sits out. */
void console_prepare(struct console *console, struct console_wait *wait)
{
	bool listens = !atomic_load(&console->draining) && serial_room(console->serial) > 0;
	bool speaks = serial_pending(console->serial) > 0;
	uint64_t timeout = serial_timeout_in(console->serial);

	if (atomic_load(&console->hurried))
		timeout = 0;

	*wait = (struct console_wait){
		.fds =
			{
				[WAIT_WAKE] = {.fd = console->wake_fd, .events = POLLIN},
				[WAIT_INPUT] = {.fd = listens ? console->input_fd : -1,
						.events = POLLIN},
				[WAIT_OUTPUT] = {.fd = speaks ? console->output_fd : -1,
						 .events = POLLOUT},
			},
		.has_timeout = timeout != UINT64_MAX,
	};
	if (wait->has_timeout) {
		wait->timeout.tv_sec = (time_t)(timeout / 1000000000);
		wait->timeout.tv_nsec = (long)(timeout % 1000000000);
	}
	if (speaks && console->output_fd < 0)
		serial_sent(console->serial, serial_pending(console->serial));
}

/* Handles one typed byte on a terminal. Returns whether it is for the guest. */
static bool is_for_guest(struct console *console, uint8_t byte)
{
	if (!console->is_raw)
		return true;
	if (console->escaped) {
		console->escaped = false;
		if (byte == 'x' || byte == 'X')
			ending_request(console->ending, ENDING_USER, NULL);
		return byte == ESCAPE;
	}
	console->escaped = byte == ESCAPE;
	return !console->escaped;
}

static void input_take(struct console *console)
{
	uint8_t bytes[SERIAL_FIFO];
	size_t room = serial_room(console->serial);
	size_t kept = 0;
	ssize_t got;

	if (room == 0)
		return; /* the guest switched its FIFOs off meanwhile */
	got = read(console->input_fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes));
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got <= 0) {
		console->input_fd = -1;
		return;
	}
	for (ssize_t i = 0; i < got; i++)
		if (is_for_guest(console, bytes[i]))
			bytes[kept++] = bytes[i];
	serial_receive(console->serial, bytes, kept);
}

static void output_give(struct console *console)
{
	uint8_t bytes[WRITE_MOST];
	size_t size = serial_peek(console->serial, bytes, sizeof(bytes));
	ssize_t written;

	if (size == 0)
		return;
	written = write(console->output_fd, bytes, size);
	if (written >= 0)
		serial_sent(console->serial, (size_t)written);
	else if (errno != EINTR && errno != EAGAIN)
		console->output_fd = -1; /* the reader is gone; the guest goes on */
}

static bool wait_failed(struct console *console, int error)
{
	if (event_is_routine(error))
		return true;
	ending_request(console->ending, ENDING_FAILED,
		       "cannot wait for the guest's serial port: %s", strerror(error));
	return false;
}

bool console_turn(struct console *console, const struct console_wait *wait, int error)
{
	if (error)
		return wait_failed(console, error);
	if (wait->fds[WAIT_WAKE].revents)
		event_clear(console->wake_fd);
	if (wait->fds[WAIT_INPUT].revents)
		input_take(console);
	if (wait->fds[WAIT_OUTPUT].revents)
		output_give(console);
	serial_check_timeout(console->serial);
	if (!atomic_load(&console->draining))
		return true;
	if (atomic_load(&console->hurried) && !wait->fds[WAIT_OUTPUT].revents)
		return false;
	return serial_pending(console->serial) > 0;
}
