/* SPDX-License-Identifier: MIT */
#include "vmm/disk_image.h"

#include "vmm/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static struct vmm_error *image_measure(int fd, const char *path, uint64_t *bytes)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "cannot ask about the disk %s",
				       path);
	if (S_ISDIR(status.st_mode))
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the disk %s is a directory: give a disk image", path);
	if (S_ISBLK(status.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, bytes) < 0)
			return vmm_error_errno(VMM_EXIT_FAILED, errno,
					       "cannot find the size of the disk %s", path);
		return NULL;
	}
	if (!S_ISREG(status.st_mode))
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the disk %s is neither a file nor a block device", path);
	*bytes = (uint64_t)status.st_size;
	return NULL;
}

/* Refused rather than rounded: a guest would lose the tail without being told. */
static struct vmm_error *size_is_usable(const char *path, uint64_t bytes)
{
	if (bytes == 0)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the disk %s is empty: make it larger with truncate -s", path);
	if (bytes % DISK_SECTOR)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the disk %s has %llu bytes, which is no multiple of 512: "
				     "enlarge it with truncate -s %%512",
				     path, (unsigned long long)bytes);
	return NULL;
}

/* Two guests that write one file system destroy it. Advisory, and gone with the process. */
static struct vmm_error *image_lock(int fd, const char *path, bool readonly)
{
	struct flock lock = {.l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return NULL;
	if (errno == EAGAIN || errno == EACCES)
		return vmm_error_new(VMM_EXIT_FAILED,
				     "the disk %s is in use by another guest: stop it, or give it "
				     "to both with readonly=on",
				     path);
	return NULL; /* a file system without locks */
}

struct vmm_error *disk_image_open(struct disk_image *image, const char *path, bool readonly)
{
	/* Not blocking: a FIFO given by mistake would wait for its other end. */
	int flags = (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
	_cleanup_close_ int fd = open(path, flags);
	uint64_t bytes = 0;

	*image = (struct disk_image){.fd = -1, .readonly = readonly};
	if (fd < 0 && errno == EISDIR)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the disk %s is a directory: give a disk image", path);
	if (fd < 0)
		return vmm_error_errno(VMM_EXIT_USAGE, errno, "cannot open the disk %s", path);
	VMM_TRY(image_measure(fd, path, &bytes));
	VMM_TRY(size_is_usable(path, bytes));
	VMM_TRY(image_lock(fd, path, readonly));
	image->sectors = bytes / DISK_SECTOR;
	image->fd = vmm_take_fd(fd);
	return NULL;
}

void disk_image_close(struct disk_image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	image->fd = -1;
}

/* Takes `done` bytes off the front. Returns how many buffers are used up. */
static unsigned buffers_advance(struct iovec *buffers, unsigned count, size_t done)
{
	unsigned used = 0;

	while (used < count && done >= buffers[used].iov_len)
		done -= buffers[used++].iov_len;
	if (used < count) {
		buffers[used].iov_base = (uint8_t *)buffers[used].iov_base + done;
		buffers[used].iov_len -= done;
	}
	return used;
}

typedef ssize_t (*transfer_call)(int fd, const struct iovec *buffers, int count, off_t offset);

static int transfer(const struct disk_image *image, struct iovec *buffers, unsigned count,
		    uint64_t offset, transfer_call call)
{
	while (count > 0) {
		ssize_t done = call(image->fd, buffers, (int)count, (off_t)offset);

		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done < 0)
			return errno;
		if (done == 0)
			return EIO; /* the file was cut short under us */
		offset += (uint64_t)done;

		unsigned used = buffers_advance(buffers, count, (size_t)done);

		buffers += used;
		count -= used;
	}
	return 0;
}

int disk_image_read(const struct disk_image *image, struct iovec *buffers, unsigned count,
		    uint64_t offset)
{
	return transfer(image, buffers, count, offset, preadv);
}

int disk_image_write(const struct disk_image *image, struct iovec *buffers, unsigned count,
		     uint64_t offset)
{
	return transfer(image, buffers, count, offset, pwritev);
}

int disk_image_flush(const struct disk_image *image)
{
	int result;

	do
		result = fdatasync(image->fd);
	while (result < 0 && errno == EINTR);
	return result < 0 ? errno : 0;
}
