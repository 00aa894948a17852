/* SPDX-License-Identifier: MIT */
#include "vmm/boot.h"
#include "vmm/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define PAGE UINT64_C(4096)

/* Old 64-bit protocol kernels take an initrd below 2 GiB only (boot_params: initrd_addr_max). */
#define INITRD_LIMIT UINT64_C(0x7fffffff)

/* As high as possible: kernels grow upwards from where they are. */
static struct vmm_error *place_find(struct boot *boot, const char *path,
				    const struct guest_memory *memory)
{
	uint64_t low = guest_memory_low_end(memory);
	uint64_t limit = low < INITRD_LIMIT ? low : INITRD_LIMIT;
	uint64_t kernel_end = (boot->kernel.end + PAGE - 1) & ~(PAGE - 1);

	boot->initrd = limit > boot->initrd_size ? (limit - boot->initrd_size) & ~(PAGE - 1) : 0;
	if (boot->initrd >= kernel_end)
		return NULL;
	return vmm_error_new(VMM_EXIT_USAGE,
			     "the initrd %s has %llu KiB, which do not fit behind the kernel: give "
			     "the guest more --memory",
			     path, (unsigned long long)(boot->initrd_size >> 10));
}

static struct vmm_error *bytes_read(int fd, const char *path, uint8_t *to, uint64_t size)
{
	while (size > 0) {
		ssize_t got = read(fd, to, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return vmm_error_errno(VMM_EXIT_USAGE, got ? errno : EIO,
					       "cannot read the initrd %s", path);
		to += got;
		size -= (uint64_t)got;
	}
	return NULL;
}

struct vmm_error *boot_initrd_load(struct boot *boot, const char *path,
				   const struct guest_memory *memory)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0)
		return vmm_error_errno(VMM_EXIT_USAGE, errno, "cannot open the initrd %s", path);
	if (fstat(fd, &status) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "cannot ask about the initrd %s",
				       path);
	if (!S_ISREG(status.st_mode) || status.st_size == 0)
		return vmm_error_new(VMM_EXIT_USAGE, "the initrd %s is empty or not a file", path);
	boot->initrd_size = (uint64_t)status.st_size;
	VMM_TRY(place_find(boot, path, memory));
	return bytes_read(fd, path, guest_memory_at(memory, boot->initrd, boot->initrd_size),
			  boot->initrd_size);
}
