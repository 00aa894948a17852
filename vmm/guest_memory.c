/* SPDX-License-Identifier: MIT */
#include "vmm/guest_memory.h"

#include "vmm/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)

static struct vmm_error *file_is_usable(int fd, const char *file, uint64_t size)
{
	struct stat status;
	struct statvfs room;

	if (fstat(fd, &status) < 0 || fstatvfs(fd, &room) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "cannot ask about %s", file);
	if (!S_ISREG(status.st_mode))
		return vmm_error_new(VMM_EXIT_USAGE,
				     "%s cannot hold guest memory: it is not a regular file", file);
	/* A sparse file on a full file system would kill us with SIGBUS at some later touch. */
	if (room.f_bavail < size / room.f_frsize)
		return vmm_error_new(VMM_EXIT_FAILED,
				     "the file system of %s has no room for %llu MiB of guest "
				     "memory: choose another one or give the guest less",
				     file, (unsigned long long)(size >> 20));
	return NULL;
}

/* *is_new: the file was not there, so who fails takes it away again. */
static int file_open(const char *file, bool *is_new)
{
	int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	*is_new = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd;
}

/* Emptied first, so that the guest starts with zeroed memory whatever was in the file. */
static struct vmm_error *file_fit(int fd, const char *file, uint64_t size)
{
	VMM_TRY(file_is_usable(fd, file, size));
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)size) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "cannot make %s %llu MiB long", file,
				       (unsigned long long)(size >> 20));
	return NULL;
}

static struct vmm_error *file_prepare(struct guest_memory *memory, const char *file, int *out)
{
	bool is_new;
	_cleanup_close_ int fd = file_open(file, &is_new);

	if (fd < 0)
		return vmm_error_errno(VMM_EXIT_USAGE, errno, "cannot open the memory file %s",
				       file);
	if (is_new)
		memory->new_file = file;
	VMM_TRY(file_fit(fd, file, memory->size));
	*out = vmm_take_fd(fd);
	return NULL;
}

static void regions_lay_out(struct guest_memory *memory)
{
	uint64_t low = memory->size < GUEST_LOW_RAM_END ? memory->size : GUEST_LOW_RAM_END;

	memory->regions[0] = (struct guest_region){.size = low, .host = memory->host};
	memory->region_count = 1;
	if (low == memory->size)
		return;
	memory->regions[1] = (struct guest_region){
		.address = GUEST_HIGH_RAM_START,
		.size = memory->size - low,
		.host = memory->host + low,
	};
	memory->region_count = 2;
}

static struct vmm_error *memory_map(struct guest_memory *memory, const char *file)
{
	_cleanup_close_ int fd = -1;

	if (file)
		VMM_TRY(file_prepare(memory, file, &fd));

	int flags = file ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	void *host = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (host == MAP_FAILED)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "the host cannot give the guest %llu MiB of memory",
				       (unsigned long long)(memory->size >> 20));
	memory->host = host;
	regions_lay_out(memory);
	return NULL;
}

struct vmm_error *guest_memory_create(struct guest_memory *memory, uint64_t size, const char *file)
{
	*memory = (struct guest_memory){.size = size};
	if (size < GUEST_MEMORY_MIN || size % PAGE)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "a guest cannot have %llu bytes of memory: give it at least 2 "
				     "MiB, a multiple of 4 KiB",
				     (unsigned long long)size);

	struct vmm_error *error = memory_map(memory, file);

	if (error)
		guest_memory_destroy(memory);
	return error;
}

void guest_memory_keep_file(struct guest_memory *memory)
{
	memory->new_file = NULL;
}

void guest_memory_destroy(struct guest_memory *memory)
{
	if (memory->host)
		munmap(memory->host, memory->size);
	if (memory->new_file)
		unlink(memory->new_file);
	*memory = (struct guest_memory){0};
}

/* Written so that no sum of two guest values can wrap. */
static bool is_inside(const struct guest_region *region, uint64_t address, uint64_t length)
{
	if (address < region->address)
		return false;

	uint64_t offset = address - region->address;

	return offset <= region->size && length <= region->size - offset;
}

void *guest_memory_at(const struct guest_memory *memory, uint64_t address, uint64_t length)
{
	for (unsigned i = 0; i < memory->region_count; i++) {
		const struct guest_region *region = &memory->regions[i];

		if (is_inside(region, address, length))
			return region->host + (address - region->address);
	}
	return NULL;
}

bool guest_memory_write(const struct guest_memory *memory, uint64_t address, const void *data,
			uint64_t length)
{
	void *host = guest_memory_at(memory, address, length);

	if (!host)
		return false;
	memcpy(host, data, length);
	return true;
}

uint64_t guest_memory_low_end(const struct guest_memory *memory)
{
	return memory->regions[0].size;
}
