// SPDX-License-Identifier: MIT
/*
 * /init. Loads the modules that the initial RAM disk brings, says `vg-ready`, and answers commands,
 * one on a line:
 *
 *   start      the streams begin
 *   report     the counters: `vg-report disk=… net=… flushes=… lost=… corrupt=…`
 *   exploit    CVE-2024-8354: `vg-exploit refused status=…`, if the machine survives it
 *   transfer   a well-formed transfer on the same controller: `vg-transfer done`
 *   read       one read of the disk, outside the streams: `vg-read done`
 *   stop       the streams come to their end, all is flushed: counters, then `vg-stopped sum=…`
 *   fault      `vg-fault address=…`: not canonical, accessed many times
 *   rewrite    `vg-rewrite done`: code that changes itself has run
 *   restart    `vg-restart done`: the second processor was off
 *   smi        `vg-smi done`: the firmware's system management handler has run
 *   meter      `vg-meter started`: from now on the pause meter runs, and the machine is never idle
 *   gap        `vg-gap us=…`: the longest time that it did not run since the last such question
 *   off        powers the machine off
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "tests/qemu/guest/guest.h"

static struct counters disk, net;
static atomic_bool stop;

static void vsay(const char *format, va_list args)
{
	static pthread_mutex_t line_mutex = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&line_mutex);
	vprintf(format, args);
	putchar('\n');
	fflush(stdout);
	pthread_mutex_unlock(&line_mutex);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsay(format, args);
	va_end(args);
}

void give_up(const char *format, ...)
{
	va_list args;

	printf("vg-broken ");
	va_start(args, format);
	vsay(format, args);
	va_end(args);
	for (;;)
		pause();
}

/* The order of /modules/order: what a module needs comes before it. */
static void load_modules(void)
{
	FILE *order = fopen("/modules/order", "re");
	char name[256], path[300];

	while (order && fgets(name, sizeof(name), order)) {
		name[strcspn(name, "\n")] = '\0';
		snprintf(path, sizeof(path), "/modules/%s", name);

		int file = open(path, O_RDONLY | O_CLOEXEC);

		if (file < 0 || syscall(SYS_finit_module, file, "", 0) != 0)
			give_up("cannot load %s: %s", path, strerror(errno));
		close(file);
	}
	if (order)
		fclose(order);
}

static void open_serial(void)
{
	struct termios raw;
	int line = open("/dev/ttyS0", O_RDWR | O_NOCTTY);

	if (line < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(line, i);
	tcgetattr(line, &raw);
	cfmakeraw(&raw);
	tcsetattr(line, TCSANOW, &raw);
}

static void report(void)
{
	say("vg-report disk=%lu net=%lu flushes=%lu lost=%lu corrupt=%lu", disk.verified,
	    net.verified, disk.flushes, disk.lost + net.lost, disk.corrupt + net.corrupt);
}

static void begin(void)
{
	stop = false;
	disk_start(&disk, &stop);
	net_start(&net, &stop);
	say("vg-started");
}

static void end(void)
{
	stop = true;
	disk_join();
	net_join();
	report();
	say("vg-stopped sum=%lx", (unsigned long)disk_sum());
}

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
}

static void obey(const char *word)
{
	static const struct {
		const char *word;
		void (*act)(void);
	} commands[] = {
		{"start", begin},
		{"report", report},
		{"exploit", uhci_exploit},
		{"transfer", uhci_transfer},
		{"read", disk_read_one},
		{"stop", end},
		{"fault", processor_fault},
		{"rewrite", processor_rewrite},
		{"restart", processor_restart},
		{"smi", processor_smi},
		{"meter", meter_start},
		{"gap", meter_read},
		{"off", power_off},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(word, commands[i].word) != 0)
			continue;
		commands[i].act();
		return;
	}
	say("vg-broken no command is called %s", word);
}

int main(void)
{
	char line[64];

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	open_serial();
	load_modules();
	say("vg-ready");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\r\n")] = '\0';
		obey(line);
	}
	give_up("the serial line has come to its end");
}
