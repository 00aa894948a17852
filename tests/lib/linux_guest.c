/* SPDX-License-Identifier: MIT */
#include "tests/lib/linux_guest.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

#define SKIPPED	       77 /* of linux-kernel: there is no kernel for this host */
#define DEFAULT_MEMORY 256
#define COMMON_APPEND  "rdinit=/init panic=-1 quiet mitigations=off"
#define END_MARK       "vg-end:"
#define READY_MARK     "vg-ready\n"

/* What a kernel without VT-x and AMD-V cannot bear to see (a kernel with drivers built in). */
#define BUILT_IN_APPEND COMMON_APPEND " nopti clearcpuid=smep,smap,fsgsbase,pcid,invpcid no-kvmapf"

static struct files {
	char kernel[PATH_MAX];
	char modules[PATH_MAX]; /* empty: built in */
	char initramfs[PATH_MAX];
	char why_not[1024];
	char why_no_disk[1024];
	char broken[1024]; /* what is set up wrongly makes tests fail, not skip */
	bool looked;
} files;

/* Copies one line without its end, and returns what follows it. */
static const char *take_line(char *to, size_t size, const char *from)
{
	size_t length = strcspn(from, "\n");

	snprintf(to, size, "%.*s", (int)length, from);
	return from[length] ? from + length + 1 : from + length;
}

static struct vg_error *find_kernel(void)
{
	_cleanup_process_ struct vg_process *process = NULL;
	char folder[PATH_MAX];
	const char *const find[] = {"tests/guest/linux-kernel", folder, NULL};
	int code;

	snprintf(folder, sizeof(folder), "%s/tests/linux", vg_build_folder());
	VG_TRY(vg_process_run(find, &code, &process));
	if (code == SKIPPED) {
		take_line(files.why_not, sizeof(files.why_not), process->messages.text);
		return NULL;
	}
	if (code != 0)
		return vg_error_new(VG_FAILED, "tests/guest/linux-kernel failed: %s",
				    process->messages.text);

	const char *text = process->output.text;

	text = take_line(files.kernel, sizeof(files.kernel), text);
	text = take_line(files.modules, sizeof(files.modules), text);
	take_line(files.why_no_disk, sizeof(files.why_no_disk), text);
	return NULL;
}

/* Packed anew by each test program: that takes a tenth of a second, and is never stale. */
static struct vg_error *pack_initramfs(void)
{
	const char *const pack[] = {"tests/guest/linux-initramfs", files.initramfs,
				    files.modules[0] ? files.modules : NULL, NULL};

	if (snprintf(files.initramfs, sizeof(files.initramfs), "%s/tests/linux/initramfs.%d",
		     vg_build_folder(), (int)getpid()) >= (int)sizeof(files.initramfs))
		return vg_error_new(VG_FAILED, "the build folder's name is too long");
	return vg_process_must_run(pack);
}

const char *vg_linux_guest_why_not_boot(void)
{
	if (vg_guest_why_not())
		return vg_guest_why_not();
	if (!files.looked) {
		struct vg_error *error = find_kernel();

		files.looked = true;
		if (error)
			snprintf(files.broken, sizeof(files.broken), "%s", vg_error_text(error));
		vg_error_free(error);
	}
	return files.why_not[0] ? files.why_not : NULL;
}

const char *vg_linux_guest_why_not(void)
{
	if (vg_linux_guest_why_not_boot())
		return vg_linux_guest_why_not_boot();
	return files.why_no_disk[0] ? files.why_no_disk : NULL;
}

const char *vg_linux_guest_kernel(void)
{
	return files.kernel;
}

bool vg_linux_guest_is_built_in(void)
{
	return !files.modules[0];
}

const char *vg_linux_guest_append(void)
{
	return vg_linux_guest_is_built_in() ? BUILT_IN_APPEND : COMMON_APPEND;
}

/* Emulated kernel code is slow: a kernel that can do without ACPI boots sooner. */
static const char *acpi_by_default(void)
{
	return vg_linux_guest_is_built_in() ? "acpi=off" : "";
}

static struct vg_error *boot(const struct vg_guest_options *options, struct vg_guest **out)
{
	struct vg_guest_options own = *options;
	char append[512];

	snprintf(append, sizeof(append), "%s %s", vg_linux_guest_append(),
		 options->append ? options->append : acpi_by_default());
	own.kernel = files.kernel;
	own.initrd = files.initramfs;
	own.append = append;
	own.memory_mib = options->memory_mib ? options->memory_mib : DEFAULT_MEMORY;
	VG_TRY(vg_guest_start(&own, out));
	return vg_guest_wait_line(*out, READY_MARK);
}

struct vg_error *vg_linux_guest_start(const struct vg_guest_options *options, struct vg_guest **out)
{
	_cleanup_guest_ struct vg_guest *guest = NULL;

	if (vg_linux_guest_why_not_boot())
		return vg_error_new(VG_FAILED, "no Linux guest: %s", vg_linux_guest_why_not_boot());
	if (files.broken[0])
		return vg_error_new(VG_FAILED, "no Linux guest: %s", files.broken);
	VG_TRY(pack_initramfs());

	struct vg_error *error = boot(options, &guest);

	unlink(files.initramfs); /* the VMM has read it */
	if (!error)
		*out = vg_take(guest);
	return error;
}

/* How many commands the serial line has already seen the end of. */
static unsigned int commands_done(const struct vg_guest *guest)
{
	unsigned int count = 0;

	for (const char *at = vg_guest_serial(guest); (at = strstr(at, "\n" END_MARK)); at++)
		count++;
	return count;
}

struct vg_error *vg_linux_guest_run(struct vg_guest *guest, const char *line, int *status,
				    char **output)
{
	struct vg_process *process = vg_guest_process(guest);
	size_t begin = process->output.length, end;
	char mark[32];

	snprintf(mark, sizeof(mark), END_MARK "%u:", commands_done(guest) + 1);
	VG_TRY(vg_process_send(process, line));
	VG_TRY(vg_process_send(process, "\n"));
	VG_TRY(vg_process_wait_text(process, &process->output, begin, mark, &end));
	VG_TRY(vg_process_wait_text(process, &process->output, end, "\n", NULL));
	*status = atoi(process->output.text + end + strlen(mark));
	if (output)
		*output = strndup(process->output.text + begin, end - begin);
	return output && !*output ? vg_error_no_memory() : NULL;
}

struct vg_error *vg_linux_guest_must_run(struct vg_guest *guest, const char *line, char **output)
{
	_cleanup_free_ char *said = NULL;
	int status;

	VG_TRY(vg_linux_guest_run(guest, line, &status, &said));
	if (status != 0)
		return vg_error_new(VG_FAILED, "the guest's `%s` ended with %d and said: %s", line,
				    status, said);
	if (output)
		*output = vg_take(said);
	return NULL;
}

struct vg_error *vg_linux_guest_reboot(struct vg_guest *guest)
{
	struct vg_process *process = vg_guest_process(guest);

	VG_TRY(vg_process_send(process, "reboot -f\n"));
	VG_TRY(vg_process_wait_end(process));
	if (vg_process_exit_code(process) != 0)
		return vg_error_new(VG_FAILED, "vgraft-vmm ended with %d: %s",
				    vg_process_exit_code(process), process->messages.text);
	return NULL;
}
