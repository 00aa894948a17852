/* SPDX-License-Identifier: MIT */
#include "patcher/unwind_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/error.h"
#include "patcher/mapping.h"

int unwind_file_open(pid_t pid, const struct vg_map *map)
{
	_cleanup_free_ char *path = NULL;
	char link[96];
	int fd;

	snprintf(link, sizeof(link), "/proc/%d/map_files/%lx-%lx", pid, map->start, map->end);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && vg_mapping_is_exe(pid, map)) {
		snprintf(link, sizeof(link), "/proc/%d/exe", pid);
		fd = open(link, O_RDONLY | O_CLOEXEC);
	}
	if (fd >= 0 || map->deleted)
		return fd;
	if (asprintf(&path, "/proc/%d/root%s", pid, map->path) < 0)
		return -1;
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool unwind_file_eh_frame(pid_t pid, const struct vg_map *map, uint64_t *address, uint64_t *bytes)
{
	_cleanup_(vg_error_cleanup) struct vg_error *error = NULL;
	_cleanup_(vg_elf_cleanup) struct vg_elf *elf = NULL;
	int fd = unwind_file_open(pid, map);
	GElf_Shdr section;

	if (fd < 0)
		return false;
	error = vg_elf_open_fd(fd, map->path, &elf);
	if (error || !vg_elf_section(elf, ".eh_frame", &section) || !(section.sh_flags & SHF_ALLOC))
		return false;
	*address = section.sh_addr;
	*bytes = section.sh_size;
	return true;
}
