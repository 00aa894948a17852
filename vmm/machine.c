/* SPDX-License-Identifier: MIT */
#include "vmm/machine.h"

#include "vmm/event.h"
#include "vmm/loops.h"

#include <errno.h>
#include <linux/virtio_mmio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>

/* ISA interrupts that nothing else of ours uses, the customary free ones first. */
static const uint8_t disk_irqs[OPTIONS_DISKS_MAX] = {5, 10, 11, 9, 7, 12, 14, 15, 6, 3};

struct machine *machine_alive;

uint64_t machine_disk_address(unsigned index)
{
	return VIRTIO_MMIO_BASE + index * VIRTIO_MMIO_STRIDE;
}

uint32_t machine_disk_irq(unsigned index)
{
	return disk_irqs[index];
}

/* Connects a device to a bus and puts it in the state it has after power-on. */
static void device_add(struct bus *bus, uint64_t base, uint64_t size, const struct device_ops *ops,
		       void *device)
{
	bus_add(bus, base, size, ops, device);
	ops->reset(device);
}

static void irq_connect(struct machine *machine, struct irq_line *line, uint32_t irq)
{
	line->vm_fd = machine->kvm.vm_fd;
	line->irq = irq;
}

static void board_create(struct machine *machine)
{
	struct bus *pio = &machine->pio;

	serial_prepare(&machine->serial);
	irq_connect(machine, &machine->serial.irq, SERIAL_IRQ);
	i8042_prepare(&machine->i8042, &machine->ending);
	rtc_cmos_prepare(&machine->rtc, &machine->memory, machine->vcpu_count);
	machine->power.ending = &machine->ending;

	device_add(pio, SERIAL_PORT, SERIAL_PORTS, &serial_ops, &machine->serial);
	device_add(pio, I8042_DATA_PORT, 1, &i8042_data_ops, &machine->i8042);
	device_add(pio, I8042_COMMAND_PORT, 1, &i8042_command_ops, &machine->i8042);
	device_add(pio, RTC_PORT, RTC_PORTS, &rtc_cmos_ops, &machine->rtc);
	device_add(pio, POWER_PM1A_PORT, 2, &power_off_ops, &machine->power);
	device_add(pio, POWER_RESET_PORT, 1, &power_reset_ops, &machine->power);
}

static struct vmm_error *disk_create(struct machine *machine, unsigned index,
				     const struct disk_option *option)
{
	struct virtio_blk *disk = calloc(1, sizeof(*disk));
	uint64_t address = machine_disk_address(index);

	if (!disk)
		return vmm_error_no_memory();
	disk->image.fd = disk->transport.kick_fd = -1;
	machine->disks[machine->disk_count++] = disk;
	VMM_TRY(virtio_blk_create(disk, index, option->path, option->readonly, &machine->memory));
	disk->transport.number = index;
	disk->transport.notices = &machine->notices;
	disk->ending = &machine->ending;
	irq_connect(machine, &disk->transport.irq, machine_disk_irq(index));
	device_add(&machine->mmio, address, VIRTIO_MMIO_SIZE, &virtio_mmio_ops, &disk->transport);
	return kvm_add_notify(&machine->kvm, disk->transport.kick_fd,
			      address + VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

static struct vmm_error *vcpus_create(struct machine *machine)
{
	machine->vcpus = calloc(machine->vcpu_count, sizeof(*machine->vcpus));
	if (!machine->vcpus)
		return vmm_error_no_memory();
	for (unsigned i = 0; i < machine->vcpu_count; i++)
		machine->vcpus[i].fd = -1;
	for (unsigned i = 0; i < machine->vcpu_count; i++)
		VMM_TRY(vcpu_create(&machine->vcpus[i], machine, i));
	return NULL;
}

/* From here on the signals that end us are read from a descriptor; threads inherit the mask. */
static struct vmm_error *signals_create(struct machine *machine)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	vcpu_prepare_kicks();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	machine->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (machine->signal_fd < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "cannot create a signalfd");
	return NULL;
}

static struct vmm_error *vcpu_count_check(const struct machine *machine)
{
	if (machine->vcpu_count <= machine->kvm.vcpus_max)
		return NULL;
	return vmm_error_new(VMM_EXIT_USAGE,
			     "--cpus %u is more than this host's KVM can give a guest: at most %u",
			     machine->vcpu_count, machine->kvm.vcpus_max);
}

struct vmm_error *machine_create(struct machine *machine, const struct options *options,
				 void (*print)(const char *sentence))
{
	*machine = (struct machine){
		.version = MACHINE_VERSION,
		.kvm = {.device_fd = -1, .vm_fd = -1},
		.vcpu_count = options->cpus,
		.console = {.wake_fd = -1},
		.ending = {.event_fd = -1},
		.notices = {.event_fd = -1},
		.print = print,
		.signal_fd = -1,
	};
	machine_alive = machine;
	VMM_TRY(ending_create(&machine->ending));
	VMM_TRY(notices_create(&machine->notices));
	VMM_TRY(kvm_create(&machine->kvm));
	VMM_TRY(vcpu_count_check(machine));
	VMM_TRY(guest_memory_create(&machine->memory, options->memory, options->memory_file));
	VMM_TRY(kvm_map_memory(&machine->kvm, &machine->memory));
	board_create(machine);
	for (unsigned i = 0; i < options->disk_count; i++)
		VMM_TRY(disk_create(machine, i, &options->disks[i]));
	VMM_TRY(vcpus_create(machine));
	return signals_create(machine);
}

void machine_destroy(struct machine *machine)
{
	machine_alive = NULL;
	console_destroy(&machine->console);
	for (unsigned i = 0; machine->vcpus && i < machine->vcpu_count; i++)
		vcpu_destroy(&machine->vcpus[i]);
	free(machine->vcpus);
	for (unsigned i = 0; i < machine->disk_count; i++) {
		virtio_blk_destroy(machine->disks[i]);
		free(machine->disks[i]);
	}
	kvm_destroy(&machine->kvm);
	guest_memory_destroy(&machine->memory);
	event_destroy(&machine->signal_fd);
	notices_destroy(&machine->notices);
	ending_destroy(&machine->ending);
}

bool machine_is_stopping(struct machine *machine)
{
	return atomic_load(&machine->stopping);
}

static struct vmm_error *thread_start(pthread_t *thread, bool *runs, const char *name,
				      void *(*loop)(void *), void *argument)
{
	int error = pthread_create(thread, NULL, loop, argument);

	if (error)
		return vmm_error_errno(VMM_EXIT_FAILED, error, "cannot start the thread %s", name);
	*runs = true;
	pthread_setname_np(*thread, name);
	return NULL;
}

static struct vmm_error *threads_start(struct machine *machine)
{
	char name[16]; /* as long as the kernel lets it be */

	VMM_TRY(thread_start(&machine->console.thread, &machine->console.thread_runs, "console",
			     console_loop, &machine->console));
	for (unsigned i = 0; i < machine->disk_count; i++) {
		struct virtio_blk *disk = machine->disks[i];

		snprintf(name, sizeof(name), "disk-%u", i);
		VMM_TRY(thread_start(&disk->worker, &disk->worker_runs, name, virtio_blk_loop,
				     disk));
	}
	for (unsigned i = 0; i < machine->vcpu_count; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		snprintf(name, sizeof(name), "vcpu-%u", i);
		VMM_TRY(thread_start(&vcpu->thread, &vcpu->thread_runs, name, vcpu_loop, vcpu));
	}
	return NULL;
}

static void vcpus_stop(struct machine *machine)
{
	for (unsigned i = 0; i < machine->vcpu_count; i++)
		vcpu_kick(&machine->vcpus[i]);
	for (unsigned i = 0; i < machine->vcpu_count; i++) {
		if (machine->vcpus[i].thread_runs)
			pthread_join(machine->vcpus[i].thread, NULL);
		machine->vcpus[i].thread_runs = false;
	}
}

/* What the guest was told is written, is in the file's cache; now it goes to the medium. */
static void disk_stop(struct virtio_blk *disk)
{
	if (!disk->worker_runs)
		return;
	atomic_store(&disk->stopping, true);
	event_signal(disk->transport.kick_fd);
	pthread_join(disk->worker, NULL);
	disk->worker_runs = false;
	if (!disk->image.readonly)
		disk_image_flush(&disk->image);
}

/* Whoever wants us gone does not want to wait for a reader that may be stuck. */
static bool is_hurried(enum ending_reason reason)
{
	return reason == ENDING_SIGNAL || reason == ENDING_USER;
}

static void console_stop(struct console *console)
{
	if (!console->thread_runs)
		return;
	console_drain(console, is_hurried(ending_reason(console->ending)));
	pthread_join(console->thread, NULL);
	console->thread_runs = false;
}

/* vCPUs first: afterwards nothing new reaches the devices, and the console can run dry. */
static void threads_stop(struct machine *machine)
{
	sigset_t set;

	/* A second signal kills us at once, should somebody keep us from ending. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);

	atomic_store(&machine->stopping, true);
	vcpus_stop(machine);
	for (unsigned i = 0; i < machine->disk_count; i++)
		disk_stop(machine->disks[i]);
	console_stop(&machine->console);
}

enum { WAIT_ENDING, WAIT_SIGNAL, WAIT_NOTICES };

void machine_prepare_wait(struct machine *machine, struct pollfd fds[MACHINE_WAITS])
{
	fds[WAIT_ENDING] = (struct pollfd){.fd = machine->ending.event_fd, .events = POLLIN};
	fds[WAIT_SIGNAL] = (struct pollfd){.fd = machine->signal_fd, .events = POLLIN};
	fds[WAIT_NOTICES] = (struct pollfd){.fd = machine->notices.event_fd, .events = POLLIN};
}

static void signal_take(struct machine *machine)
{
	struct signalfd_siginfo info;

	if (read(machine->signal_fd, &info, sizeof(info)) != sizeof(info)) {
		if (!event_is_routine(errno))
			ending_request(&machine->ending, ENDING_FAILED,
				       "cannot read which signal came: %s", strerror(errno));
		return;
	}
	machine->ending.signal = (int)info.ssi_signo;
	ending_request(&machine->ending, ENDING_SIGNAL, NULL);
}

static void notices_print(struct machine *machine)
{
	const char *text;

	while ((text = notices_take(&machine->notices)))
		machine->print(text);
}

bool machine_turn(struct machine *machine, const struct pollfd fds[MACHINE_WAITS], int error)
{
	if (error) {
		if (!event_is_routine(error))
			ending_request(&machine->ending, ENDING_FAILED,
				       "cannot wait for the guest's end: %s", strerror(error));
		/* poll() told us nothing. */
		return ending_reason(&machine->ending) == ENDING_NONE;
	}
	if (fds[WAIT_SIGNAL].revents)
		signal_take(machine);
	if (fds[WAIT_NOTICES].revents)
		event_clear(machine->notices.event_fd);
	notices_print(machine);
	return ending_reason(&machine->ending) == ENDING_NONE;
}

struct vmm_error *machine_run(struct machine *machine)
{
	VMM_TRY(console_create(&machine->console, &machine->serial, &machine->ending));

	struct vmm_error *error = threads_start(machine);

	if (!error) {
		guest_memory_keep_file(&machine->memory);
		main_loop(machine);
	}
	threads_stop(machine);
	notices_print(machine);
	return error;
}
