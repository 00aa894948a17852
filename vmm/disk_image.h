/* SPDX-License-Identifier: MIT */
/* A disk's bytes on the host: a regular file or a block device, opened, checked and locked. */
#ifndef VMM_DISK_IMAGE_H
#define VMM_DISK_IMAGE_H

#include "vmm/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define DISK_SECTOR 512

struct disk_image {
	int fd;
	bool readonly;
	uint64_t sectors; /* of 512 bytes */
};

struct vmm_error *disk_image_open(struct disk_image *image, const char *path,
				  bool readonly) VMM_MUST_CHECK;
void disk_image_close(struct disk_image *image);

/* Whole transfers: 0, or an errno value. `buffers` is used up. */
int disk_image_read(const struct disk_image *image, struct iovec *buffers, unsigned count,
		    uint64_t offset);
int disk_image_write(const struct disk_image *image, struct iovec *buffers, unsigned count,
		     uint64_t offset);
int disk_image_flush(const struct disk_image *image);

#endif
