/* SPDX-License-Identifier: MIT */
#include "tests/lib/qemu_guest.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/guest.h"
#include "tests/lib/linux_guest.h"
#include "tests/lib/qemu_disk.h"
#include "tests/lib/suite.h"

#define WORDS_MAX	128
#define KVM_BOOT_LIMITS 4   /* times VG_HANG_SECONDS */
#define REPORT_MS	200 /* between two questions for the counters */

struct vg_qemu {
	struct vg_process *process;
	struct vg_qmp *qmp;
	struct vg_echo_peer *peer;
	bool is_guest_elsewhere; /* peer, folder of the network and disk are another one's */
	size_t asked;		 /* where in the guest's output the last command was sent */
	uint64_t sum;		 /* of the disk's blocks, as the guest gave it */
	char folder[64];	 /* below /tmp: the path of a unix socket is short */
	char network[80];
	char disk[PATH_MAX];
};

const char *vg_qemu_tree(void)
{
	static char tree[PATH_MAX];
	const char *named = getenv("VGRAFT_QEMU_TREE");

	if (tree[0])
		return tree;
	if (!named || !realpath(named, tree))
		snprintf(tree, sizeof(tree), "%s/qemu/u15", vg_build_folder());
	return tree;
}

const char *vg_qemu_program(void)
{
	static char program[PATH_MAX + 32];

	snprintf(program, sizeof(program), "%s/usr/bin/qemu-system-x86_64", vg_qemu_tree());
	return program;
}

/* The kernel and the initial RAM disk that tests/qemu/qemu_guest.mk makes. */
static const char *guest_file(const char *name)
{
	static char path[2][PATH_MAX + 32];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/qemu/guest/%s", vg_build_folder(), name);
	return path[turn];
}

const char *vg_qemu_why_not(void)
{
	if (access(vg_qemu_program(), X_OK) != 0)
		return "QEMU's package is not unpacked; make check-qemu does it";
	if (access(guest_file("vmlinuz"), R_OK) != 0 || access(guest_file("initrd"), R_OK) != 0)
		return "there is no kernel for the guest; make check-qemu downloads it";
	return NULL;
}

const char *vg_qemu_kvm_why_not(void)
{
	return vg_qemu_why_not() ? vg_qemu_why_not() : vg_linux_guest_why_not_boot();
}

void vg_qemu_need(const char *test)
{
	if (vg_qemu_why_not())
		vg_test_skip_at(test, "%s", vg_qemu_why_not());
}

/* ---- the command line */

struct command {
	const char *words[WORDS_MAX + 1];
	size_t count;
	char *made[WORDS_MAX]; /* to be freed */
	size_t made_count;
};

static void command_clear(struct command *command)
{
	for (size_t i = 0; i < command->made_count; i++)
		free(command->made[i]);
}

static void add(struct command *command, const char *option, const char *value)
{
	command->words[command->count++] = option;
	if (value)
		command->words[command->count++] = value;
}

__attribute__((format(printf, 3, 4))) static void
add_made(struct command *command, const char *option, const char *format, ...)
{
	char *value = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&value, format, args) < 0)
		value = NULL;
	va_end(args);
	command->made[command->made_count++] = value;
	add(command, option, value ? value : "");
}

/* What a kernel for hosts without VT-x and AMD-V cannot bear to see, or KVM to be asked for. */
#define BUILT_IN_CPU "host,-smep,-smap,-fsgsbase,-la57,-pcid,-arch-capabilities"

static void add_processors(struct command *command, const struct vg_qemu_options *options)
{
	add(command, "-accel", options->kvm ? "kvm" : "tcg,thread=multi");
	add(command, "-smp", options->kvm ? "1" : "2");
	if (options->kvm)
		add(command, "-cpu", vg_linux_guest_is_built_in() ? BUILT_IN_CPU : "host");
	else
		add(command, "-cpu", "qemu64");
}

/* Debian's kernel boots in every machine but one that KVM runs without VT-x and AMD-V. */
static void add_kernel(struct command *command, const struct vg_qemu_options *options)
{
	bool is_built_in = options->kvm && vg_linux_guest_is_built_in();

	add_made(command, "-kernel", "%s",
		 is_built_in ? vg_linux_guest_kernel() : guest_file("vmlinuz"));
	add_made(command, "-initrd", "%s", guest_file(is_built_in ? "initrd-built-in" : "initrd"));
	/* A host that is busy delays the timer so long that the kernel would take it for broken. */
	add_made(command, "-append", "console=ttyS0 nokaslr no_timer_check %s %s",
		 is_built_in ? vg_linux_guest_append() : "quiet mitigations=off",
		 options->append ? options->append : "");
}

static void add_machine(struct command *command, const struct vg_qemu_options *options)
{
	add(command, "-M", "pc");
	add_processors(command, options);
	add(command, "-m", "128");
	add(command, "-nodefaults", "-no-user-config");
	add(command, "-display", "none");
	add(command, "-serial", "stdio");
	if (options->firmware) {
		add(command, "-bios", options->firmware);
		return;
	}
	add_kernel(command, options);
}

static void add_devices(struct command *command, const struct vg_qemu *qemu)
{
	add(command, "-object", "iothread,id=io0");
	add_made(command, "-drive", "if=none,id=disk,format=qcow2,cache=none,aio=threads,file=%s",
		 qemu->disk);
	add(command, "-device", "virtio-blk-pci,id=blk,drive=disk,iothread=io0");
	add_made(command, "-netdev", "stream,id=net,server=off,addr.type=unix,addr.path=%s",
		 qemu->network);
	add(command, "-device", "virtio-net-pci,netdev=net,romfile=");
	add(command, "-device", "piix3-usb-uhci,id=usb");
	add(command, "-device", "usb-tablet,bus=usb.0,port=1");
	add_made(command, "-qmp", "unix:%s/qmp.sock,server=on,wait=off", qemu->folder);
}

static void fill_command(struct command *command, const struct vg_qemu *qemu,
			 const struct vg_qemu_options *options)
{
	add(command, options->program ? options->program : vg_qemu_program(), NULL);
	add_made(command, "-L", "%s/usr/share/qemu", vg_qemu_tree());
	add_made(command, "-L", "%s/usr/share/seabios", vg_qemu_tree());
	add_machine(command, options);
	add_devices(command, qemu);
	if (options->incoming)
		add_made(command, "-incoming", "unix:%s/incoming.sock", qemu->folder);
	if (options->qtest)
		add_made(command, "-qtest", "unix:%s/qtest.sock,server=on,wait=off", qemu->folder);
	if (options->qtest)
		add(command, "-qtest-log", "none");
	for (const char *const *word = options->extra; word && *word; word++)
		add(command, *word, NULL);
	if (options->sandbox)
		add(command, "-sandbox",
		    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

/* ---- start and stop */

static struct vg_error *make_folder(struct vg_qemu *qemu)
{
	strcpy(qemu->folder, "/tmp/vgraft-qemu.XXXXXX");
	if (mkdtemp(qemu->folder))
		return NULL;
	qemu->folder[0] = '\0';
	return vg_error_errno(VG_FAILED, errno, "cannot make a folder below /tmp");
}

static struct vg_error *make_files(struct vg_qemu *qemu)
{
	VG_TRY(make_folder(qemu));
	snprintf(qemu->disk, sizeof(qemu->disk), "%s/disk.qcow2", qemu->folder);
	snprintf(qemu->network, sizeof(qemu->network), "%s/net.sock", qemu->folder);
	VG_TRY(vg_qemu_disk_make(qemu->disk));
	return vg_echo_peer_start(qemu->network, &qemu->peer);
}

/* What the guest leaves where it is when it goes to another QEMU. */
static struct vg_error *share_files(struct vg_qemu *qemu, const struct vg_qemu *from)
{
	qemu->is_guest_elsewhere = true;
	qemu->peer = from->peer;
	qemu->sum = from->sum;
	memcpy(qemu->disk, from->disk, sizeof(qemu->disk));
	memcpy(qemu->network, from->network, sizeof(qemu->network));
	return make_folder(qemu);
}

static struct vg_error *start_program(struct vg_qemu *qemu, const struct vg_qemu_options *options)
{
	struct command command = {.count = 0};

	fill_command(&command, qemu, options);

	struct vg_error *error = vg_process_start(command.words, &qemu->process);

	command_clear(&command);
	return error;
}

static struct vg_error *open_monitor(struct vg_qemu *qemu)
{
	char socket[PATH_MAX];

	snprintf(socket, sizeof(socket), "%s/qmp.sock", qemu->folder);
	return vg_qmp_open(socket, &qemu->qmp);
}

/* Where KVM emulates the kernel's code, a boot on a busy host takes longer than a hang. */
static struct vg_error *await_boot(struct vg_qemu *qemu, bool kvm)
{
	struct vg_error *error = vg_qemu_await(qemu, "vg-ready", NULL);

	for (int more = kvm ? KVM_BOOT_LIMITS - 1 : 0; error && more > 0; more--) {
		vg_error_free(error);
		error = vg_qemu_await(qemu, "vg-ready", NULL);
	}
	return error;
}

static struct vg_error *start(struct vg_qemu *qemu, const struct vg_qemu_options *options)
{
	if (options->kvm && vg_qemu_kvm_why_not())
		return vg_error_new(VG_FAILED, "%s", vg_qemu_kvm_why_not());
	VG_TRY(options->incoming ? share_files(qemu, options->incoming) : make_files(qemu));
	VG_TRY(start_program(qemu, options));
	if (options->incoming || options->firmware)
		return open_monitor(qemu);
	VG_TRY(await_boot(qemu, options->kvm));
	VG_TRY(open_monitor(qemu));
	return options->leaves ? NULL : vg_qmp_keep_asking(qemu->qmp);
}

struct vg_error *vg_qemu_start(const struct vg_qemu_options *options, struct vg_qemu **out)
{
	_cleanup_qemu_ struct vg_qemu *qemu = calloc(1, sizeof(*qemu));

	if (!qemu)
		return vg_error_no_memory();
	VG_TRY(start(qemu, options));
	*out = vg_take(qemu);
	return NULL;
}

void vg_qemu_stop(struct vg_qemu *qemu)
{
	if (!qemu)
		return;
	vg_process_free(qemu->process); /* first: it is what the others wait for */
	vg_qmp_close(qemu->qmp);
	if (!qemu->is_guest_elsewhere)
		vg_echo_peer_stop(qemu->peer);
	if (qemu->folder[0]) {
		const char *const remove[] = {"rm", "-rf", "--", qemu->folder, NULL};

		vg_error_free(vg_process_must_run(remove));
	}
	free(qemu);
}

pid_t vg_qemu_pid(const struct vg_qemu *qemu)
{
	return qemu->process->pid;
}

struct vg_qmp *vg_qemu_qmp(const struct vg_qemu *qemu)
{
	return qemu->qmp;
}

struct vg_process *vg_qemu_process(const struct vg_qemu *qemu)
{
	return qemu->process;
}

struct vg_echo_peer *vg_qemu_peer(const struct vg_qemu *qemu)
{
	return qemu->peer;
}

const char *vg_qemu_folder(const struct vg_qemu *qemu)
{
	return qemu->folder;
}

/* ---- the guest */

struct vg_error *vg_qemu_send(struct vg_qemu *qemu, const char *command)
{
	char line[64];

	snprintf(line, sizeof(line), "%s\n", command);
	VG_TRY(vg_process_pump(qemu->process, 0));
	qemu->asked = qemu->process->output.length;
	return vg_process_send(qemu->process, line);
}

struct answer_wait {
	const struct vg_qemu *qemu;
	const char *answer;
	const char *line; /* once it is whole */
	bool broken;
};

/* Also true when the guest says that it can't go on. */
static bool is_answered(void *argument)
{
	struct answer_wait *wait = argument;
	const struct vg_capture *output = &wait->qemu->process->output;
	const char *from = output->text + wait->qemu->asked;
	const char *broken = strstr(from, "vg-broken"), *line = strstr(from, wait->answer);

	wait->broken = broken && strchr(broken, '\n');
	wait->line = wait->broken ? broken : line;
	return wait->line && strchr(wait->line, '\n');
}

struct vg_error *vg_qemu_await(struct vg_qemu *qemu, const char *answer, char **line)
{
	struct answer_wait wait = {.qemu = qemu, .answer = answer};

	VG_TRY(vg_process_wait(qemu->process, is_answered, &wait, answer));

	int length = (int)strcspn(wait.line, "\r\n");

	if (wait.broken)
		return vg_error_new(VG_FAILED, "the guest said: %.*s", length, wait.line);
	if (line && !(*line = strndup(wait.line, (size_t)length)))
		return vg_error_no_memory();
	return NULL;
}

struct vg_error *vg_qemu_command(struct vg_qemu *qemu, const char *command, const char *answer,
				 char **line)
{
	VG_TRY(vg_qemu_send(qemu, command));
	return vg_qemu_await(qemu, answer, line);
}

struct vg_error *vg_qemu_start_streams(struct vg_qemu *qemu)
{
	return vg_qemu_command(qemu, "start", "vg-started", NULL);
}

static struct vg_error *parse_report(const char *line, struct vg_qemu_counts *counts)
{
	/* NOLINTNEXTLINE(cert-err34-c): the count of fields is checked */
	if (sscanf(line, "vg-report disk=%lu net=%lu flushes=%lu lost=%lu corrupt=%lu",
		   &counts->disk, &counts->net, &counts->flushes, &counts->lost,
		   &counts->corrupt) == 5)
		return NULL;
	return vg_error_new(VG_FAILED, "the guest's report makes no sense: %s", line);
}

struct vg_error *vg_qemu_report(struct vg_qemu *qemu, struct vg_qemu_counts *counts)
{
	_cleanup_free_ char *line = NULL;

	VG_TRY(vg_qemu_command(qemu, "report", "vg-report", &line));
	return parse_report(line, counts);
}

/* An error if neither stream moves for too long, or one has found something wrong. */
static struct vg_error *next_report(struct vg_qemu *qemu, struct vg_qemu_counts *counts)
{
	struct vg_qemu_counts before = *counts;

	for (int waited = 0; waited < VG_HANG_SECONDS * 1000; waited += REPORT_MS) {
		VG_TRY(vg_process_pump(qemu->process, REPORT_MS));
		VG_TRY(vg_qemu_report(qemu, counts));
		if (counts->lost || counts->corrupt)
			return vg_error_new(VG_FAILED,
					    "the guest has lost %lu requests, and %lu "
					    "are corrupt",
					    counts->lost, counts->corrupt);
		if (counts->disk > before.disk && counts->net > before.net)
			return NULL;
	}
	return vg_error_new(VG_FAILED,
			    "the guest's streams stand still at %lu requests on the "
			    "disk and %lu frames",
			    counts->disk, counts->net);
}

struct vg_error *vg_qemu_wait_verified(struct vg_qemu *qemu, uint64_t more)
{
	struct vg_qemu_counts first, now;

	VG_TRY(vg_qemu_report(qemu, &first));
	for (now = first; now.disk < first.disk + more || now.net < first.net + more;)
		VG_TRY(next_report(qemu, &now));
	return NULL;
}

static struct vg_error *check_counts(const struct vg_qemu *qemu,
				     const struct vg_qemu_counts *counts)
{
	struct vg_echo_counts peer = vg_echo_peer_counts(qemu->peer);

	if (counts->lost || counts->corrupt || peer.lost || peer.corrupt)
		return vg_error_new(VG_FAILED,
				    "the streams are not whole: the guest lost %lu and found %lu "
				    "corrupt, the other end of its network %lu and %lu",
				    counts->lost, counts->corrupt, peer.lost, peer.corrupt);
	if (peer.frames != counts->net)
		return vg_error_new(VG_FAILED,
				    "%lu frames came to the other end of the guest's network, "
				    "%lu answers came back",
				    peer.frames, counts->net);
	return NULL;
}

struct vg_error *vg_qemu_end_streams(struct vg_qemu *qemu, struct vg_qemu_counts *counts)
{
	_cleanup_free_ char *report = NULL, *stopped = NULL;

	VG_TRY(vg_qemu_send(qemu, "stop"));
	VG_TRY(vg_qemu_await(qemu, "vg-stopped", &stopped));
	VG_TRY(vg_qemu_await(qemu, "vg-report", &report));
	VG_TRY(parse_report(report, counts));
	/* NOLINTNEXTLINE(cert-err34-c): the count of fields is checked */
	if (sscanf(stopped, "vg-stopped sum=%lx", &qemu->sum) != 1)
		return vg_error_new(VG_FAILED, "the guest's end makes no sense: %s", stopped);
	return check_counts(qemu, counts);
}

/* True once the guest has an answer, or can have none any more. */
static bool is_exploit_over(void *argument)
{
	struct answer_wait *wait = argument;

	return wait->qemu->process->reaped || is_answered(wait);
}

static bool died_by_assertion(const struct vg_process *process)
{
	return WIFSIGNALED(process->status) && WTERMSIG(process->status) == SIGABRT &&
	       strstr(process->messages.text, "usb_ep_get: Assertion");
}

struct vg_error *vg_qemu_exploit(struct vg_qemu *qemu, bool *aborted)
{
	struct answer_wait wait = {.qemu = qemu, .answer = "vg-exploit"};

	VG_TRY(vg_qemu_send(qemu, "exploit"));
	VG_TRY(vg_process_wait(qemu->process, is_exploit_over, &wait, "the exploit's end"));
	*aborted = qemu->process->reaped;
	if (*aborted && died_by_assertion(qemu->process))
		return NULL;
	if (*aborted)
		return vg_error_new(VG_FAILED, "QEMU died with %d, not by the assertion: %s",
				    vg_process_exit_code(qemu->process),
				    qemu->process->messages.text);
	if (strncmp(wait.line, "vg-exploit refused", 18) != 0)
		return vg_error_new(VG_FAILED, "the exploit was not tried: %.80s", wait.line);
	return NULL;
}

struct vg_error *vg_qemu_power_off(struct vg_qemu *qemu)
{
	VG_TRY(vg_qemu_send(qemu, "off"));
	VG_TRY(vg_process_wait_end(qemu->process));
	if (vg_process_exit_code(qemu->process) != 0)
		return vg_error_new(VG_FAILED, "QEMU ended with %d: %s",
				    vg_process_exit_code(qemu->process),
				    qemu->process->messages.text);
	return NULL;
}

struct vg_error *vg_qemu_check_disk(struct vg_qemu *qemu)
{
	return vg_qemu_disk_check(qemu->disk, qemu->sum);
}
