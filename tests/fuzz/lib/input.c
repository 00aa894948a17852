/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/lib/input.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/patch_record.h"

void fuzz_touch(const void *bytes, size_t count)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum ^= ((const uint8_t *)bytes)[i];
}

void fuzz_touch_string(const char *string)
{
	if (string)
		fuzz_touch(string, strlen(string) + 1);
}

int fuzz_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	/* No memory for the fuzzer's own file says nothing about the reader. */
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		exit(2);
	return fd;
}

void fuzz_path(int fd, char path[FUZZ_PATH_BYTES])
{
	snprintf(path, FUZZ_PATH_BYTES, "/proc/self/fd/%d", fd);
}

void fuzz_reseal(uint8_t *bytes, size_t count)
{
	struct vgp_header header;

	if (count < sizeof(header))
		return;
	memcpy(&header, bytes, sizeof(header));
	memcpy(header.magic, VGP_MAGIC, sizeof(header.magic));
	header.version = VGP_VERSION;
	header.header_bytes = sizeof(header);
	header.file_bytes = (uint32_t)count;
	header.machine = EM_X86_64;
	header.flags &= VGP_REPLACE | VGP_LOW_2G;
	header.reserved = 0;
	memcpy(bytes, &header, sizeof(header));
	vg_patch_checksum(bytes, count, header.checksum);
	memcpy(bytes, &header, sizeof(header));
}
