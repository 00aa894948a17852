/* SPDX-License-Identifier: MIT */
/*
 * A virtual processor and the thread that runs it.
 *
 * Thread context: created by main before any vCPU runs; afterwards the vCPU's own thread, but for
 * vcpu_kick(), which any thread may call.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include "vmm/error.h"

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct machine;

struct vcpu {
	struct machine *machine;
	unsigned index; /* also its APIC id; 0 boots, the others wait for INIT and SIPI */
	int fd;
	struct kvm_run *run; /* shared with KVM */
	uint64_t exits;
	pthread_t thread;
	bool thread_runs;
};

struct vmm_error *vcpu_create(struct vcpu *vcpu, struct machine *machine,
			      unsigned index) VMM_MUST_CHECK;
void vcpu_destroy(struct vcpu *vcpu);

/* Blocks the signal that vcpu_kick() sends, but in vCPU threads, and makes it harmless. */
void vcpu_prepare_kicks(void);
/* Makes KVM_RUN return with EINTR, now or as soon as it is called, from now on. */
void vcpu_kick(struct vcpu *vcpu);
void vcpu_accept_kicks(void); /* called by the vCPU's thread */

/*
 * Everything that follows one KVM_RUN: `error` is 0 or its errno value. False: the thread shall
 * end. Called by the vCPU's loop.
 */
bool vcpu_exit(struct vcpu *vcpu, int error);

/* What the guest sees as CPUID of this vCPU (cpuid.c). */
struct vmm_error *cpuid_set(const struct vcpu *vcpu) VMM_MUST_CHECK;

#endif
