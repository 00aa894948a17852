// SPDX-License-Identifier: MIT
/* TAP on the serial line. Every byte costs an exit, so lines are short and built before they go. */
#include <stdarg.h>

#include "tests/guest/kernel.h"
#include "tests/guest/user.h"

struct line {
	char text[256];
	size_t length;
};

static uint64_t tests, failures;

static void put(struct line *line, char c)
{
	if (line->length < sizeof(line->text))
		line->text[line->length++] = c;
}

static void put_text(struct line *line, const char *text)
{
	while (*text)
		put(line, *text++);
}

static void put_number(struct line *line, uint64_t value, unsigned int base)
{
	char digits[20];
	int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		put(line, digits[--count]);
}

void print(const char *format, ...)
{
	struct line line = {.length = 0};
	va_list args;

	va_start(args, format);
	for (; *format; format++) {
		if (*format != '%')
			put(&line, *format);
		else if (*++format == 's')
			put_text(&line, va_arg(args, const char *));
		else
			put_number(&line, va_arg(args, uint64_t), *format == 'x' ? 16 : 10);
	}
	va_end(args);
	kernel_call(CALL_WRITE, (uint64_t)line.text, line.length);
}

void tap_start(void)
{
	print("TAP version 13\n");
}

bool tap(bool ok, const char *what)
{
	tests++;
	failures += !ok;
	print("%s %u - %s\n", ok ? "ok" : "not ok", tests, what);
	return ok;
}

static __attribute__((noreturn)) void end(void)
{
	kernel_call(CALL_RESET, 0, 0);
	kernel_call(CALL_PARK, 0, 0);
	__builtin_unreachable();
}

void tap_finish(void)
{
	print("1..%u\n", tests);
	VG_REPORT_SET(report()->state, failures ? VG_STATE_FAILED : VG_STATE_DONE);
	end();
}

void tap_bail_out(const char *why)
{
	print("Bail out! %s\n", why);
	VG_REPORT_SET(report()->state, VG_STATE_FAILED);
	end();
}
