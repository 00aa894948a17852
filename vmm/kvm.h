/* SPDX-License-Identifier: MIT */
/* The host's /dev/kvm: opened, probed by asking KVM itself, and one virtual machine of it. */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include "vmm/error.h"
#include "vmm/guest_memory.h"

#include <stdbool.h>
#include <stddef.h>

struct kvm {
	int device_fd;
	int vm_fd;
	unsigned vcpus_max;
	size_t run_size;   /* bytes of a vCPU's shared `struct kvm_run` */
	bool paravirtual;  /* a KVM without VT-x or AMD-V below it */
	bool tsc_deadline; /* the in-kernel local APIC has the TSC deadline timer */
};

/* Opens /dev/kvm and makes a VM with in-kernel interrupt controllers and an 8254. */
struct vmm_error *kvm_create(struct kvm *kvm) VMM_MUST_CHECK;
void kvm_destroy(struct kvm *kvm);
struct vmm_error *kvm_map_memory(const struct kvm *kvm,
				 const struct guest_memory *memory) VMM_MUST_CHECK;

/* Signals `event_fd` in the kernel when a vCPU writes the 32-bit `value` to `address`. */
struct vmm_error *kvm_add_notify(const struct kvm *kvm, int event_fd, uint64_t address,
				 uint32_t value) VMM_MUST_CHECK;

/* ioctl() that goes on after EINTR and EAGAIN; not for KVM_RUN. */
int kvm_ioctl(int fd, unsigned long request, void *argument);

#endif
