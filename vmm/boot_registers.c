/* SPDX-License-Identifier: MIT */
#include "vmm/boot_registers.h"
#include "vmm/boot.h"
#include "vmm/kvm.h"
#include "vmm/machine.h"

#include <errno.h>

#define GDT_CODE    0x10
#define GDT_DATA    0x18
#define GDT_TSS	    0x20
#define GDT_ENTRIES 6

/* Intel SDM vol. 3, 3.4.5 and 7.2.2; each 4 GiB from 0, present, ring 0. */
#define DESCRIPTOR_CODE_64 UINT64_C(0x00af9b000000ffff) /* execute and read */
#define DESCRIPTOR_CODE_32 UINT64_C(0x00cf9b000000ffff)
#define DESCRIPTOR_DATA	   UINT64_C(0x00cf93000000ffff) /* read and write */
#define DESCRIPTOR_TSS	   UINT64_C(0x00008b0000000067) /* busy; in long mode 0 follows */

static bool is_long(const struct boot_registers *registers)
{
	return registers->efer & EFER_LMA;
}

static struct vmm_error *gdt_write(const struct boot_registers *registers,
				   const struct guest_memory *memory)
{
	const uint64_t gdt[GDT_ENTRIES] = {
		[GDT_CODE / 8] = is_long(registers) ? DESCRIPTOR_CODE_64 : DESCRIPTOR_CODE_32,
		[GDT_DATA / 8] = DESCRIPTOR_DATA,
		[GDT_TSS / 8] = DESCRIPTOR_TSS,
	};

	if (!guest_memory_write(memory, BOOT_GDT, gdt, sizeof(gdt)))
		return vmm_error_new(VMM_EXIT_FAILED, "no memory for the GDT");
	return NULL;
}

static struct kvm_segment code_segment(bool is_long)
{
	return (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = GDT_CODE,
		.type = 0xb,
		.present = 1,
		.s = 1,
		.l = is_long,
		.db = !is_long,
		.g = 1,
	};
}

static const struct kvm_segment data_segment = {
	.limit = UINT32_MAX,
	.selector = GDT_DATA,
	.type = 0x3,
	.present = 1,
	.s = 1,
	.db = 1,
	.g = 1,
};

static const struct kvm_segment tss_segment = {
	.limit = 0x67,
	.selector = GDT_TSS,
	.type = 0xb,
	.present = 1,
};

static int system_registers_set(const struct boot_registers *registers, const struct vcpu *vcpu)
{
	struct kvm_sregs system;

	if (kvm_ioctl(vcpu->fd, KVM_GET_SREGS, &system) < 0)
		return -1;
	system.cs = code_segment(is_long(registers));
	system.ds = system.es = system.fs = system.gs = system.ss = data_segment;
	system.tr = tss_segment;
	system.gdt.base = BOOT_GDT;
	system.gdt.limit = GDT_ENTRIES * sizeof(uint64_t) - 1;
	system.idt.base = 0;
	system.idt.limit = 0;
	system.cr0 = registers->cr0;
	system.cr3 = registers->cr3;
	system.cr4 = registers->cr4;
	system.efer = registers->efer;
	return kvm_ioctl(vcpu->fd, KVM_SET_SREGS, &system);
}

struct vmm_error *boot_registers_set(const struct boot_registers *registers,
				     struct machine *machine)
{
	const struct vcpu *vcpu = &machine->vcpus[0];
	struct kvm_regs general = registers->general;

	VMM_TRY(gdt_write(registers, &machine->memory));
	if (system_registers_set(registers, vcpu) < 0 ||
	    kvm_ioctl(vcpu->fd, KVM_SET_REGS, &general) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "KVM does not take the registers of the %s entry",
				       registers->entry);
	return NULL;
}
