/* SPDX-License-Identifier: MIT */
/*
 * The machine: owns every device, vCPU and thread, and everything in it can be reached from here.
 *
 * Life: machine_create() → boot_load() → machine_run(), which returns when the guest or the user
 * ended it → machine_destroy(). All of them belong to the main thread.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "vmm/bus.h"
#include "vmm/console.h"
#include "vmm/ending.h"
#include "vmm/guest_memory.h"
#include "vmm/i8042.h"
#include "vmm/kvm.h"
#include "vmm/notices.h"
#include "vmm/options.h"
#include "vmm/power.h"
#include "vmm/rtc_cmos.h"
#include "vmm/serial.h"
#include "vmm/vcpu.h"
#include "vmm/virtio_blk.h"

#include <poll.h>
#include <stdatomic.h>

#define MACHINE_VERSION 1

struct machine {
	uint32_t version;
	struct kvm kvm;
	struct guest_memory memory;
	struct bus pio;
	struct bus mmio;
	struct serial serial;
	struct i8042 i8042;
	struct rtc_cmos rtc;
	struct power power;
	unsigned disk_count;
	struct virtio_blk *disks[OPTIONS_DISKS_MAX];
	unsigned vcpu_count;
	struct vcpu *vcpus;
	struct console console;
	struct ending ending;
	struct notices notices;
	void (*print)(const char *sentence); /* prints a notice; main thread only */
	int signal_fd;
	atomic_bool stopping;
};

/*
 * The machine that lives, or NULL: where everything can be reached from for who comes from outside
 * with nothing in hand, a debugger or the hook of a live patch. The VMM itself hands its machine
 * on and never reads this.
 */
extern struct machine *machine_alive;

struct vmm_error *machine_create(struct machine *machine, const struct options *options,
				 void (*print)(const char *sentence)) VMM_MUST_CHECK;
void machine_destroy(struct machine *machine);

/* Runs the guest to its end; machine->ending says which. An error: it could not be started. */
struct vmm_error *machine_run(struct machine *machine) VMM_MUST_CHECK;

/* Where the guest finds disk number `index`. */
uint64_t machine_disk_address(unsigned index);
uint32_t machine_disk_irq(unsigned index);

/* The two halves of one turn of main's loop; `error` is the wait's errno or 0. False: the machine
 * has ended. */
#define MACHINE_WAITS 3
void machine_prepare_wait(struct machine *machine, struct pollfd fds[MACHINE_WAITS]);
bool machine_turn(struct machine *machine, const struct pollfd fds[MACHINE_WAITS], int error);

bool machine_is_stopping(struct machine *machine);

#endif
