/* SPDX-License-Identifier: MIT */
/* What a vCPU's thread does between two KVM_RUNs: one call of vcpu_exit() per exit. */
#include "vmm/kvm.h"
#include "vmm/event.h"
#include "vmm/machine.h"
#include "vmm/vcpu.h"

#include <errno.h>
#include <string.h>

static unsigned long long instruction_pointer(const struct vcpu *vcpu)
{
	struct kvm_regs registers = {0};

	kvm_ioctl(vcpu->fd, KVM_GET_REGS, &registers);
	return registers.rip;
}

/* A string instruction (rep ins, rep outs) is one exit with `count` items. */
static bool exit_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(&vcpu->machine->pio, run->io.port, data, run->io.size);
		else
			bus_read(&vcpu->machine->pio, run->io.port, data, run->io.size);
	}
	return true;
}

static bool exit_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	if (run->mmio.is_write)
		bus_write(&vcpu->machine->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(&vcpu->machine->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	return true;
}

static bool exit_shutdown(struct vcpu *vcpu)
{
	ending_request(&vcpu->machine->ending, ENDING_TRIPLE_FAULT,
		       "the guest reset itself by a triple fault on vCPU %u at 0x%llx", vcpu->index,
		       instruction_pointer(vcpu));
	return false;
}

static bool exit_system_event(struct vcpu *vcpu)
{
	struct ending *ending = &vcpu->machine->ending;
	uint32_t type = vcpu->run->system_event.type;

	if (type == KVM_SYSTEM_EVENT_SHUTDOWN)
		ending_request(ending, ENDING_POWER_OFF, NULL);
	else if (type == KVM_SYSTEM_EVENT_RESET)
		ending_request(ending, ENDING_RESET, NULL);
	else
		ending_request(ending, ENDING_FAILED,
			       "KVM reports system event %u on vCPU %u, which we do not know", type,
			       vcpu->index);
	return false;
}

static bool exit_internal_error(struct vcpu *vcpu)
{
	ending_request(&vcpu->machine->ending, ENDING_FAILED,
		       "KVM cannot run the guest any further: internal error %u on vCPU %u at "
		       "0x%llx (suberror 1: an instruction that this host's KVM does not emulate)",
		       vcpu->run->internal.suberror, vcpu->index, instruction_pointer(vcpu));
	return false;
}

static bool exit_fail_entry(struct vcpu *vcpu)
{
	ending_request(&vcpu->machine->ending, ENDING_FAILED,
		       "the processor refuses the state of vCPU %u (reason 0x%llx)", vcpu->index,
		       (unsigned long long)vcpu->run->fail_entry.hardware_entry_failure_reason);
	return false;
}

static bool exit_unknown(struct vcpu *vcpu)
{
	ending_request(&vcpu->machine->ending, ENDING_FAILED,
		       "vCPU %u left the guest for a reason that we do not know (%u) at 0x%llx",
		       vcpu->index, vcpu->run->exit_reason, instruction_pointer(vcpu));
	return false;
}

static bool exit_handle(struct vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		return exit_io(vcpu);
	case KVM_EXIT_MMIO:
		return exit_mmio(vcpu);
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return true;
	case KVM_EXIT_SHUTDOWN:
		return exit_shutdown(vcpu);
	case KVM_EXIT_SYSTEM_EVENT:
		return exit_system_event(vcpu);
	case KVM_EXIT_INTERNAL_ERROR:
		return exit_internal_error(vcpu);
	case KVM_EXIT_FAIL_ENTRY:
		return exit_fail_entry(vcpu);
	default:
		return exit_unknown(vcpu);
	}
}

bool vcpu_exit(struct vcpu *vcpu, int error)
{
	vcpu->exits++;
	if (machine_is_stopping(vcpu->machine))
		return false;
	if (event_is_routine(error)) /* also an AP that has just received INIT */
		return true;
	if (error) {
		ending_request(&vcpu->machine->ending, ENDING_FAILED, "KVM cannot run vCPU %u: %s",
			       vcpu->index, strerror(error));
		return false;
	}
	return exit_handle(vcpu);
}
