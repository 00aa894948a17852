/* SPDX-License-Identifier: MIT */
/*
 * The guest's CPUID: what KVM supports, with the vCPU's own APIC id and topology put in (Intel SDM
 * vol. 2A, CPUID). KVM's leaves at 0x40000000 stay.
 */
#include "vmm/cleanup.h"
#include "vmm/kvm.h"
#include "vmm/machine.h"
#include "vmm/vcpu.h"

#include <errno.h>

#define ENTRIES_MAX 256

#define BIT(n) (UINT32_C(1) << (n))

/* Leaf 1 */
#define ECX_PCID	 BIT(17)
#define ECX_TSC_DEADLINE BIT(24)
#define ECX_HYPERVISOR	 BIT(31)
#define EDX_HTT		 BIT(28)
/* Leaf 7 */
#define EBX_FSGSBASE BIT(0)
#define EBX_SMEP     BIT(7)
#define EBX_INVPCID  BIT(10)
#define EBX_SMAP     BIT(20)
#define ECX_LA57     BIT(16)

#define TOPOLOGY_SMT  1
#define TOPOLOGY_CORE 2

static uint32_t topology_bits(unsigned cpus)
{
	uint32_t bits = 0;

	while ((1u << bits) < cpus)
		bits++;
	return bits;
}

static void leaf_features(const struct vcpu *vcpu, struct kvm_cpuid_entry2 *entry)
{
	const struct machine *machine = vcpu->machine;

	entry->ebx = (entry->ebx & 0xffff) | vcpu->index << 24 | machine->vcpu_count << 16;
	entry->ecx |= ECX_HYPERVISOR;
	if (machine->kvm.tsc_deadline)
		entry->ecx |= ECX_TSC_DEADLINE;
	entry->edx &= ~EDX_HTT;
	if (machine->vcpu_count > 1)
		entry->edx |= EDX_HTT;
	if (machine->kvm.paravirtual)
		entry->ecx &= ~ECX_PCID;
}

/* One package with a core for each vCPU. */
static void leaf_topology(const struct vcpu *vcpu, struct kvm_cpuid_entry2 *entry)
{
	unsigned cpus = vcpu->machine->vcpu_count;

	entry->eax = entry->ebx = 0;
	entry->ecx = entry->index;
	entry->edx = vcpu->index;
	if (entry->index == 0) {
		entry->ebx = 1;
		entry->ecx |= TOPOLOGY_SMT << 8;
	} else if (entry->index == 1) {
		entry->eax = topology_bits(cpus);
		entry->ebx = cpus;
		entry->ecx |= TOPOLOGY_CORE << 8;
	}
}

/* Cores per package; the last level of cache is shared by all, the others by none. */
static void leaf_caches(const struct vcpu *vcpu, struct kvm_cpuid_entry2 *entry)
{
	uint32_t cores = (UINT32_C(1) << topology_bits(vcpu->machine->vcpu_count)) - 1;
	uint32_t level = entry->eax >> 5 & 7;

	if ((entry->eax & 0x1f) == 0)
		return;
	entry->eax &= 0x3fff;
	entry->eax |= (cores < 0x3f ? cores : 0x3f) << 26;
	if (level >= 3)
		entry->eax |= cores << 14;
}

/* A KVM without hardware below it reports these, but its emulated kernel mode lacks them. */
static void leaf_extended_features(const struct vcpu *vcpu, struct kvm_cpuid_entry2 *entry)
{
	if (!vcpu->machine->kvm.paravirtual || entry->index != 0)
		return;
	entry->ebx &= ~(EBX_FSGSBASE | EBX_SMEP | EBX_INVPCID | EBX_SMAP);
	entry->ecx &= ~ECX_LA57;
}

static void entry_adapt(const struct vcpu *vcpu, struct kvm_cpuid_entry2 *entry)
{
	switch (entry->function) {
	case 0x1:
		leaf_features(vcpu, entry);
		break;
	case 0x4:
		leaf_caches(vcpu, entry);
		break;
	case 0x7:
		leaf_extended_features(vcpu, entry);
		break;
	case 0xb:
	case 0x1f:
		leaf_topology(vcpu, entry);
		break;
	case 0x80000008: /* AMD: number of cores - 1 */
		entry->ecx = (entry->ecx & ~UINT32_C(0xff)) | (vcpu->machine->vcpu_count - 1);
		break;
	case 0x8000001e: /* AMD: APIC id, core id */
		entry->eax = entry->ebx = vcpu->index;
		break;
	}
}

struct vmm_error *cpuid_set(const struct vcpu *vcpu)
{
	_cleanup_free_ struct kvm_cpuid2 *table =
		calloc(1, sizeof(*table) + ENTRIES_MAX * sizeof(table->entries[0]));

	if (!table)
		return vmm_error_no_memory();
	table->nent = ENTRIES_MAX;
	if (kvm_ioctl(vcpu->machine->kvm.device_fd, KVM_GET_SUPPORTED_CPUID, table) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "KVM cannot tell which CPU features it supports");
	for (uint32_t i = 0; i < table->nent; i++)
		entry_adapt(vcpu, &table->entries[i]);
	if (kvm_ioctl(vcpu->fd, KVM_SET_CPUID2, table) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "KVM does not take the CPU features of vCPU %u",
				       vcpu->index);
	return NULL;
}
