/* SPDX-License-Identifier: MIT */
#include "tests/lib/qemu_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "tests/lib/process.h"
#include "tests/lib/qemu_guest.h"
#include "tests/qemu/guest/stream.h"

static const char *qemu_img(void)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/usr/bin/qemu-img", vg_qemu_tree());
	return path;
}

struct vg_error *vg_qemu_disk_make(const char *disk)
{
	char size[32];

	snprintf(size, sizeof(size), "%d", STREAM_DISK_BYTES);
	return vg_process_must_run(
		(const char *const[]){qemu_img(), "create", "-q", "-f", "qcow2", disk, size, NULL});
}

static bool is_unwritten(const uint64_t *words)
{
	for (size_t i = 0; i < STREAM_BLOCK_BYTES / sizeof(*words); i++)
		if (words[i])
			return false;
	return true;
}

static struct vg_error *add_block(int image, uint64_t number, uint64_t *sum)
{
	uint64_t words[STREAM_BLOCK_BYTES / sizeof(uint64_t)];
	struct stream_header header;

	if (pread(image, words, sizeof(words), (off_t)(number * STREAM_BLOCK_STEP)) !=
	    sizeof(words))
		return vg_error_errno(VG_FAILED, errno, "cannot read block %lu of the disk",
				      number);
	if (is_unwritten(words))
		return NULL;
	memcpy(&header, words, sizeof(header));
	if (!stream_is_whole(words, sizeof(words)) || header.kind != STREAM_BLOCK ||
	    header.number != number)
		return vg_error_new(VG_FAILED, "block %lu of the disk is corrupt", number);
	*sum += stream_share(number, header.sequence);
	return NULL;
}

static struct vg_error *check_blocks(const char *raw, uint64_t expected)
{
	_cleanup_close_ int image = open(raw, O_RDONLY | O_CLOEXEC);
	uint64_t sum = 0;

	if (image < 0)
		return vg_error_errno(VG_FAILED, errno, "cannot open %s", raw);
	for (uint64_t number = 0; number < STREAM_BLOCKS; number++)
		VG_TRY(add_block(image, number, &sum));
	if (sum != expected)
		return vg_error_new(VG_FAILED,
				    "the disk holds other writes than the guest's last: "
				    "their sum is %lx, not %lx",
				    sum, expected);
	return NULL;
}

struct vg_error *vg_qemu_disk_check(const char *disk, uint64_t sum)
{
	char raw[PATH_MAX];

	snprintf(raw, sizeof(raw), "%s.raw", disk);
	VG_TRY(vg_process_must_run((const char *const[]){qemu_img(), "check", "-q", disk, NULL}));
	VG_TRY(vg_process_must_run((const char *const[]){qemu_img(), "convert", "-f", "qcow2", "-O",
							 "raw", disk, raw, NULL}));

	struct vg_error *error = check_blocks(raw, sum);

	unlink(raw);
	return error;
}
