/* SPDX-License-Identifier: MIT */
#include "tests/lib/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/error.h"
#include "tests/lib/process.h"

#define LOOK_US 5000 /* how often a socket that is not there yet is looked for */

struct vg_error *vg_unix_connect(const char *path, int *fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = VG_HANG_SECONDS};

	if (strlen(path) >= sizeof(address.sun_path))
		return vg_error_new(VG_FAILED, "the path of the socket %s is too long", path);
	strcpy(address.sun_path, path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) != 0)
		return vg_error_errno(VG_FAILED, errno, "cannot make a socket");
	for (long waited = 0; connect(*fd, (struct sockaddr *)&address, sizeof(address)) != 0;
	     waited += LOOK_US) {
		if (waited > VG_HANG_SECONDS * 1000000L)
			return vg_error_errno(VG_FAILED, errno, "cannot connect to %s", path);
		usleep(LOOK_US);
	}
	return NULL;
}
