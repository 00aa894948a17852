/* SPDX-License-Identifier: MIT */
#include "tests/lib/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

#define DEFAULT_MEMORY_MIB 64
#define DEFAULT_DISK_MIB   16
#define MIB		   (1024ULL * 1024)
#define WORDS_MAX	   32

struct vg_guest {
	struct vg_process *process;
	struct vg_report *report; /* mapped from the RAM file; NULL until the VMM has made it */
	unsigned int cpus;
	char folder[PATH_MAX];
	char memory[PATH_MAX];
	char disk[PATH_MAX];
};

const char *vg_guest_why_not(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? "there is no /dev/kvm on this host"
				       : "/dev/kvm cannot be opened by this user";
	close(fd);
	return NULL;
}

/* $(B)/tests/live/NAME, three folders up. */
static void folder_of_program(char folder[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);

	folder[length > 0 ? length : 0] = '\0';
	for (int up = 0; up < 3; up++) {
		char *slash = strrchr(folder, '/');

		if (slash)
			*slash = '\0';
	}
}

const char *vg_build_folder(void)
{
	static char folder[PATH_MAX];
	const char *named = getenv("VGRAFT_BUILD");

	if (folder[0])
		return folder;
	if (!named || !realpath(named, folder))
		folder_of_program(folder);
	return folder;
}

static void path_set(char path[PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void path_set(char path[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
}

/* In the build folder: a test that fails leaves its guest's files behind for whoever looks into it.
 */
static struct vg_error *make_folder(struct vg_guest *guest)
{
	char base[PATH_MAX - 16];

	snprintf(base, sizeof(base), "%s/guests", vg_build_folder());
	mkdir(base, 0777);
	path_set(guest->folder, "%s/guest.XXXXXX", base);
	if (!mkdtemp(guest->folder))
		return vg_error_errno(VG_FAILED, errno, "cannot make a folder %s", guest->folder);
	return NULL;
}

static bool has_room(const char *folder, uint64_t bytes)
{
	struct statvfs room;

	return access(folder, W_OK) == 0 && statvfs(folder, &room) == 0 &&
	       (uint64_t)room.f_bavail * room.f_frsize > 2 * bytes;
}

/*
 * Guest RAM in memory where the host allows: in a file on a disk, each write-back of a dirty page
 * takes time from the guest that a pause meter would see.
 */
static void choose_memory_file(struct vg_guest *guest, uint64_t bytes)
{
	const char *name = strrchr(guest->folder, '/') + 1;

	if (has_room("/dev/shm", bytes))
		path_set(guest->memory, "/dev/shm/vgraft-%s", name);
	else
		path_set(guest->memory, "%s/memory", guest->folder);
}

static struct vg_error *make_disk(struct vg_guest *guest, const struct vg_guest_options *options)
{
	unsigned int mib = options->disk_mib ? options->disk_mib : DEFAULT_DISK_MIB;

	if (options->disk) {
		path_set(guest->disk, "%s", options->disk);
		return NULL;
	}
	path_set(guest->disk, "%s/disk", guest->folder);

	_cleanup_close_ int fd = open(guest->disk, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)(mib * MIB)) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot make the disk %s", guest->disk);
	return NULL;
}

/* What the VMM is started with; the strings live as long as the call that starts it. */
struct command {
	const char *words[WORDS_MAX];
	unsigned int count;
	char vmm[PATH_MAX], kernel[PATH_MAX], append[4096], memory[16], cpus[16];
};

static void add_option(struct command *command, const char *name, const char *value)
{
	command->words[command->count++] = name;
	command->words[command->count++] = value;
}

static void fill_command(struct command *command, const struct vg_guest *guest,
			 const struct vg_guest_options *options)
{
	const char *append = options->append ? options->append : "";

	path_set(command->vmm, "%s/vgraft-vmm", vg_build_folder());
	path_set(command->kernel, "%s/tests/guest/guest.elf", vg_build_folder());
	snprintf(command->append, sizeof(command->append), options->kernel ? "%s" : "%s cpus=%u",
		 append, guest->cpus);
	snprintf(command->memory, sizeof(command->memory), "%uM",
		 options->memory_mib ? options->memory_mib : DEFAULT_MEMORY_MIB);
	snprintf(command->cpus, sizeof(command->cpus), "%u", guest->cpus);

	command->words[command->count++] = options->vmm ? options->vmm : command->vmm;
	command->words[command->count++] = "run";
	command->words[command->count++] = "--json";
	add_option(command, "--kernel", options->kernel ? options->kernel : command->kernel);
	if (options->initrd)
		add_option(command, "--initrd", options->initrd);
	if (options->boot)
		add_option(command, "--boot", options->boot);
	add_option(command, "--append", command->append);
	add_option(command, "--memory", command->memory);
	add_option(command, "--memory-file", guest->memory);
	add_option(command, "--cpus", command->cpus);
	add_option(command, "--disk", guest->disk);
}

/* Only once the VMM has given the file its size: a look at a page beyond its end is a SIGBUS. */
static struct vg_error *map_report(struct vg_guest *guest)
{
	_cleanup_close_ int fd = open(guest->memory, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot open the guest's memory %s",
				      guest->memory);

	void *page = mmap(NULL, VG_REPORT_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  VG_REPORT_ADDRESS);

	if (page == MAP_FAILED)
		return vg_error_errno(VG_FAILED, errno, "cannot map the guest's shared page");
	guest->report = page;
	return NULL;
}

static struct vg_error *start(struct vg_guest *guest, const struct vg_guest_options *options)
{
	struct command command = {.count = 0};
	unsigned int mib = options->memory_mib ? options->memory_mib : DEFAULT_MEMORY_MIB;

	VG_TRY(make_folder(guest));
	choose_memory_file(guest, mib * MIB);
	VG_TRY(make_disk(guest, options));
	fill_command(&command, guest, options);
	VG_TRY(vg_process_start(command.words, &guest->process));
	VG_TRY(vg_process_wait_text(guest->process, &guest->process->messages, 0,
				    "\"event\":\"started\"", NULL));
	VG_TRY(map_report(guest));
	unlink(guest->memory); /* nobody opens it again; so nothing is left should we be killed */
	return NULL;
}

struct vg_error *vg_guest_start(const struct vg_guest_options *options, struct vg_guest **out)
{
	_cleanup_guest_ struct vg_guest *guest = calloc(1, sizeof(*guest));

	if (!guest)
		return vg_error_no_memory();
	guest->cpus = options->cpus ? options->cpus : 1;
	VG_TRY(start(guest, options));
	*out = vg_take(guest);
	return NULL;
}

void vg_guest_stop(struct vg_guest *guest)
{
	if (!guest)
		return;
	vg_process_free(guest->process);
	if (guest->report)
		munmap(guest->report, VG_REPORT_SIZE);
	if (guest->memory[0])
		unlink(guest->memory);
	if (guest->folder[0]) {
		const char *const remove[] = {"rm", "-rf", "--", guest->folder, NULL};

		vg_error_free(vg_process_must_run(remove));
	}
	free(guest);
}

pid_t vg_guest_pid(const struct vg_guest *guest)
{
	return guest->process->pid;
}

struct vg_process *vg_guest_process(struct vg_guest *guest)
{
	return guest->process;
}

struct vg_report *vg_guest_report(const struct vg_guest *guest)
{
	return guest->report;
}

const char *vg_guest_disk(const struct vg_guest *guest)
{
	return guest->disk;
}

const char *vg_guest_folder(const struct vg_guest *guest)
{
	return guest->folder;
}

const char *vg_guest_serial(const struct vg_guest *guest)
{
	return guest->process->output.text;
}

struct report_wait {
	struct vg_guest *guest;
	bool (*predicate)(const struct vg_report *report, void *argument);
	void *argument;
};

static bool holds(void *argument)
{
	struct report_wait *wait = argument;
	struct vg_report *report = wait->guest->report;

	return VG_REPORT_GET(report->magic) == VG_REPORT_MAGIC &&
	       report->version == VG_REPORT_VERSION && wait->predicate(report, wait->argument);
}

struct vg_error *vg_guest_wait(struct vg_guest *guest,
			       bool (*predicate)(const struct vg_report *report, void *argument),
			       void *argument, const char *what)
{
	struct report_wait wait = {guest, predicate, argument};

	return vg_process_wait(guest->process, holds, &wait, what);
}

static bool is_running(const struct vg_report *report, void *argument)
{
	(void)argument;
	return VG_REPORT_GET(report->state) != VG_STATE_BOOTING;
}

struct vg_error *vg_guest_wait_running(struct vg_guest *guest)
{
	return vg_guest_wait(guest, is_running, NULL, "the guest to begin");
}

static bool has_verified(const struct vg_report *report, void *argument)
{
	return VG_REPORT_GET(report->io.verified) >= *(uint64_t *)argument;
}

struct vg_error *vg_guest_wait_verified(struct vg_guest *guest, uint64_t more)
{
	uint64_t wanted = VG_REPORT_GET(guest->report->io.verified) + more;

	return vg_guest_wait(guest, has_verified, &wanted, "requests to be verified");
}

struct vg_error *vg_guest_wait_line(struct vg_guest *guest, const char *text)
{
	return vg_process_wait_text(guest->process, &guest->process->output, 0, text, NULL);
}

static bool have_meters_reset(const struct vg_report *report, void *argument)
{
	uint64_t asked = *(uint64_t *)argument;

	for (uint64_t i = 0; i < report->cpus; i++)
		if (VG_REPORT_GET(report->meters[i].resets) != asked)
			return false;
	return true;
}

struct vg_error *vg_guest_reset_meters(struct vg_guest *guest)
{
	uint64_t asked = VG_REPORT_GET(guest->report->control.reset) + 1;

	VG_REPORT_SET(guest->report->control.reset, asked);
	return vg_guest_wait(guest, have_meters_reset, &asked, "the meters to be cleared");
}

uint64_t vg_guest_gap_ns(const struct vg_guest *guest, int cpu)
{
	uint64_t longest = 0;

	for (int i = 0; i < (int)guest->cpus && i < VG_REPORT_CPUS; i++) {
		uint64_t gap = VG_REPORT_GET(guest->report->meters[i].max_gap_ns);

		if ((cpu < 0 || cpu == i) && gap > longest)
			longest = gap;
	}
	return longest;
}

static bool is_probe_answered(const struct vg_report *report, void *argument)
{
	return VG_REPORT_GET(report->exploit.probes) == *(uint64_t *)argument;
}

struct vg_error *vg_guest_probe(struct vg_guest *guest, bool *shows)
{
	uint64_t asked = VG_REPORT_GET(guest->report->control.probe) + 1;

	VG_REPORT_SET(guest->report->control.probe, asked);
	VG_TRY(vg_guest_wait(guest, is_probe_answered, &asked, "the exploit's verdict"));
	*shows = VG_REPORT_GET(guest->report->exploit.verdict) == VG_VERDICT_SHOWS;
	return NULL;
}

void vg_guest_ask_to_stop(struct vg_guest *guest)
{
	VG_REPORT_SET(guest->report->control.stop, 1);
}

static bool is_tap_good(const char *serial)
{
	return strstr(serial, "\n1..") && !strstr(serial, "not ok") && !strstr(serial, "Bail out!");
}

struct vg_error *vg_guest_wait_end(struct vg_guest *guest, struct vg_report *out)
{
	VG_TRY(vg_process_wait_end(guest->process));
	if (out)
		*out = *guest->report;
	if (vg_process_exit_code(guest->process) != 0)
		return vg_error_new(VG_FAILED, "vgraft-vmm ended with %d: %s",
				    vg_process_exit_code(guest->process),
				    guest->process->messages.text);
	if (guest->report->state != VG_STATE_DONE || !is_tap_good(vg_guest_serial(guest)))
		return vg_error_new(VG_FAILED, "the guest found something wrong:\n%s",
				    vg_guest_serial(guest));
	return NULL;
}

struct vg_error *vg_guest_finish(struct vg_guest *guest, struct vg_report *out)
{
	vg_guest_ask_to_stop(guest);
	return vg_guest_wait_end(guest, out);
}
