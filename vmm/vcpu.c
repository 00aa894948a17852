/* SPDX-License-Identifier: MIT */
#include "vmm/vcpu.h"

#include "vmm/kvm.h"
#include "vmm/machine.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define KICK_SIGNAL SIGUSR1

#define MSR_MISC_ENABLE	     0x1a0
#define MSR_MTRR_DEF_TYPE    0x2ff
#define MISC_FAST_STRINGS    1
#define MTRR_ENABLED_DEFAULT 0x806 /* on, write-back everywhere */

struct boot_msr {
	uint32_t index;
	uint64_t value;
};

/* What firmware leaves in the MSRs. A KVM without one of them is none the worse for it. */
static const struct boot_msr boot_msrs[] = {
	{MSR_MISC_ENABLE, MISC_FAST_STRINGS},
	{MSR_MTRR_DEF_TYPE, MTRR_ENABLED_DEFAULT},
};

static void msrs_set(const struct vcpu *vcpu)
{
	for (size_t i = 0; i < sizeof(boot_msrs) / sizeof(boot_msrs[0]); i++) {
		struct {
			struct kvm_msrs header;
			struct kvm_msr_entry entry;
		} request = {
			.header.nmsrs = 1,
			.entry = {.index = boot_msrs[i].index, .data = boot_msrs[i].value},
		};

		kvm_ioctl(vcpu->fd, KVM_SET_MSRS, &request);
	}
}

static int vcpu_fd_create(const struct kvm *kvm, unsigned index)
{
	int fd;

	do
		fd = ioctl(kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)index);
	while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd;
}

struct vmm_error *vcpu_create(struct vcpu *vcpu, struct machine *machine, unsigned index)
{
	const struct kvm *kvm = &machine->kvm;

	vcpu->machine = machine;
	vcpu->index = index;
	vcpu->fd = vcpu_fd_create(kvm, index);
	if (vcpu->fd < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "KVM cannot create vCPU %u", index);

	void *run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);

	if (run == MAP_FAILED)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "cannot map the area of vCPU %u",
				       index);
	vcpu->run = run;
	VMM_TRY(cpuid_set(vcpu));
	msrs_set(vcpu);
	return NULL;
}

void vcpu_destroy(struct vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->machine->kvm.run_size);
	if (vcpu->machine && vcpu->fd >= 0)
		close(vcpu->fd);
}

static void kick_ignore(int signal)
{
	(void)signal; /* only there so that KVM_RUN returns */
}

void vcpu_prepare_kicks(void)
{
	struct sigaction action = {.sa_handler = kick_ignore};
	sigset_t set;

	sigaction(KICK_SIGNAL, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, KICK_SIGNAL);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void vcpu_accept_kicks(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* immediate_exit closes the gap between the thread's last look and its KVM_RUN. */
void vcpu_kick(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (vcpu->thread_runs)
		pthread_kill(vcpu->thread, KICK_SIGNAL);
}
