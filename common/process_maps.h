/* SPDX-License-Identifier: MIT */
/* The mappings of a process, as /proc/PID/maps shows them (proc(5)). */
#ifndef COMMON_PROCESS_MAPS_H
#define COMMON_PROCESS_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vgraft/error.h>

struct vg_map {
	uint64_t start, end; /* [start, end) */
	uint64_t offset;     /* in the file */
	uint64_t inode;
	uint32_t device_major, device_minor;
	bool readable, writable, executable, shared;
	bool deleted; /* the file was replaced or removed: read it through /proc/PID/map_files */
	char *path;   /* "" for anonymous memory; "[stack]", "[heap]", "[vdso]", "[anon:…]" */
};

struct vg_maps {
	struct vg_map *maps; /* ascending addresses */
	size_t count;
};

/* Thread context: target running or stopped; a running target may change its maps meanwhile. */
VG_MUST_CHECK struct vg_error *vg_maps_read(pid_t pid, struct vg_maps *maps);
/* Parses text in the format of /proc/PID/maps. */
VG_MUST_CHECK struct vg_error *vg_maps_parse(const char *text, struct vg_maps *maps);
void vg_maps_clear(struct vg_maps *maps);

/* /proc/PID/maps, kept open: to be read again in little time. */
struct vg_maps_file {
	int fd;
	char *text, *spare; /* as it was parsed, and room for what is read next */
	size_t room;	    /* bytes of each */
	struct vg_maps maps;
	struct vg_maps before; /* what `maps` was until it changed last */
	unsigned changes;      /* how often it did */
};
#define VG_MAPS_FILE_NONE                                                                          \
	(struct vg_maps_file)                                                                      \
	{                                                                                          \
		.fd = -1                                                                           \
	}
VG_MUST_CHECK struct vg_error *vg_maps_file_open(pid_t pid, struct vg_maps_file *file);
/* Reads; parses only if something has changed. Then `maps` is true again. */
VG_MUST_CHECK struct vg_error *vg_maps_file_read(struct vg_maps_file *file);
/*
 * Is `maps` still true, but for names of anonymous memory? False also if nobody can tell. Leaves
 * `maps` alone: another thread may use it meanwhile.
 */
bool vg_maps_file_is_unchanged(struct vg_maps_file *file);
void vg_maps_file_close(struct vg_maps_file *file);
const struct vg_map *vg_maps_find(const struct vg_maps *maps, uint64_t address); /* or NULL */
bool vg_map_is_anonymous(const struct vg_map *map); /* private memory behind no file, not special */
bool vg_map_is_file(const struct vg_map *map);

#endif
