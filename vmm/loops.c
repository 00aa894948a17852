/* SPDX-License-Identifier: MIT */
#include "vmm/loops.h"

#include "vmm/console.h"
#include "vmm/machine.h"
#include "vmm/vcpu.h"
#include "vmm/virtio_blk.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

void *vcpu_loop(void *argument)
{
	struct vcpu *vcpu = argument;
	int error;

	vcpu_accept_kicks();
	do
		error = ioctl(vcpu->fd, KVM_RUN, NULL) < 0 ? errno : 0;
	while (vcpu_exit(vcpu, error));
	return NULL;
}

void *virtio_blk_loop(void *argument)
{
	struct virtio_blk *disk = argument;
	uint64_t kicks;
	int error;

	do
		error = read(disk->transport.kick_fd, &kicks, sizeof(kicks)) < 0 ? errno : 0;
	while (virtio_blk_turn(disk, error));
	return NULL;
}

void *console_loop(void *argument)
{
	struct console *console = argument;
	struct console_wait wait;
	int error;

	do {
		console_prepare(console, &wait);
		error = ppoll(wait.fds, 3, wait.has_timeout ? &wait.timeout : NULL, NULL) < 0
				? errno
				: 0;
	} while (console_turn(console, &wait, error));
	return NULL;
}

void main_loop(struct machine *machine)
{
	struct pollfd fds[MACHINE_WAITS];
	int error;

	do {
		machine_prepare_wait(machine, fds);
		error = poll(fds, MACHINE_WAITS, -1) < 0 ? errno : 0;
	} while (machine_turn(machine, fds, error));
}
