/* SPDX-License-Identifier: MIT */
#include "patcher/mapping.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"

bool vg_mapping_is_private_anonymous(const struct vg_map *map)
{
	return !map->shared && !map->inode && (!*map->path || strncmp(map->path, "[anon:", 6) == 0);
}

bool vg_mapping_may_be_area(const struct vg_map *map)
{
	return vg_mapping_is_private_anonymous(map) && map->readable && map->executable &&
	       !map->writable;
}

/* pagemap: 64 bits for each page; bit 63 present, bit 62 swapped (admin-guide/mm/pagemap). */
bool vg_mapping_is_page_present(pid_t pid, uint64_t address)
{
	char path[64];
	uint64_t entry;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &entry, sizeof(entry), (off_t)(address / 4096 * sizeof(entry))) !=
			      sizeof(entry))
		return true;
	return entry >> 62;
}

/* With vm.overcommit_memory = 2 the kernel ignores MAP_NORESERVE, and `nr` is not shown. */
static bool is_noreserve_ignored(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/vm/overcommit_memory", "re");
	int mode = 0;

	return file && fscanf(file, "%d", &mode) == 1 && mode == 2;
}

static bool has_flag(const char *flags, const char *flag)
{
	char word[8];

	snprintf(word, sizeof(word), " %s ", flag);
	return strstr(flags, word) != NULL;
}

bool vg_mapping_is_untouched(pid_t pid, const struct vg_map *map)
{
	char path[64], line[512], start[40];
	bool inside = false;
	unsigned long resident = 1, swapped = 1, value;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	/* Addresses are printed with at least 8 digits. */
	snprintf(start, sizeof(start), "%08" PRIx64 "-%08" PRIx64 " ", map->start, map->end);
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, start, strlen(start)) == 0)
			inside = true;
		else if (inside && sscanf(line, "Rss: %lu kB", &value) == 1)
			resident = value;
		else if (inside && sscanf(line, "Swap: %lu kB", &value) == 1)
			swapped = value;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			return !resident && !swapped &&
			       (has_flag(line, "nr") || is_noreserve_ignored());
	}
	return false;
}

bool vg_mapping_is_exe(pid_t pid, const struct vg_map *map)
{
	struct stat exe;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &exe) == 0 && exe.st_ino == map->inode &&
	       major(exe.st_dev) == map->device_major && minor(exe.st_dev) == map->device_minor;
}
