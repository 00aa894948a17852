/* SPDX-License-Identifier: MIT */
#include "tests/lib/ext4.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/guest.h"
#include "tests/lib/process.h"

#define MIB	      (1L << 20)
#define FSCK_REPAIRED 1

struct vg_error *vg_ext4_make(char disk[PATH_MAX], unsigned int mib)
{
	const char *const make[] = {"/sbin/mkfs.ext4", "-q", "-F", disk, NULL};

	if (snprintf(disk, PATH_MAX, "%s/disk.XXXXXX", vg_build_folder()) >= PATH_MAX)
		return vg_error_new(VG_FAILED, "the build folder's name is too long");

	_cleanup_close_ int fd = mkstemp(disk);

	if (fd < 0 || ftruncate(fd, (off_t)mib * MIB) < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot make the disk %s", disk);
	return vg_process_must_run(make);
}

struct vg_error *vg_ext4_check(const char *disk)
{
	const char *const check[] = {"/sbin/fsck.ext4", "-fn", disk, NULL};

	return vg_process_must_run(check);
}

struct vg_error *vg_ext4_recover(const char *disk)
{
	const char *const recover[] = {"/sbin/fsck.ext4", "-p", disk, NULL};
	_cleanup_process_ struct vg_process *process = NULL;
	int code;

	VG_TRY(vg_process_run(recover, &code, &process));
	if (code > FSCK_REPAIRED)
		return vg_error_new(VG_FAILED, "fsck.ext4 -p ended with %d: %s", code,
				    process->output.text);
	return NULL;
}

/* The sums are on standard input; so that no file of ours is in the way, in a folder of its own. */
struct vg_error *vg_ext4_check_sums(const char *disk, const char *sums)
{
	static const char script[] =
		"set -e; out=$(mktemp -d); trap 'rm -rf \"$out\"' EXIT; cd \"$out\"; cat >sums\n"
		"while read -r sum name; do /sbin/debugfs -R \"dump $name $name\" \"$1\"; done "
		"<sums\n"
		"test -s sums && sha256sum -c --strict sums\n";
	const char *const check[] = {"/bin/sh", "-c", script, "check", disk, NULL};
	_cleanup_process_ struct vg_process *process = NULL;

	VG_TRY(vg_process_start(check, &process));
	VG_TRY(vg_process_send(process, sums));
	vg_process_close_input(process);
	VG_TRY(vg_process_wait_end(process));
	if (vg_process_exit_code(process) != 0)
		return vg_error_new(VG_FAILED, "the files on %s are not what was written:\n%s%s",
				    disk, process->output.text, process->messages.text);
	return NULL;
}
