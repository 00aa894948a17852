/* SPDX-License-Identifier: MIT */
#include "vmm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Three pages for Intel's real-mode TSS and one for its identity map, below the 4 GiB mark. */
#define KVM_IDENTITY_PAGE UINT64_C(0xfffbc000)
#define KVM_TSS_PAGES	  UINT64_C(0xfffbd000)

int kvm_ioctl(int fd, unsigned long request, void *argument)
{
	int result;

	do
		result = ioctl(fd, request, argument);
	while (result < 0 && (errno == EINTR || errno == EAGAIN));
	return result;
}

static int kvm_number(int fd, unsigned long request, unsigned long argument)
{
	int result;

	do
		result = ioctl(fd, request, argument);
	while (result < 0 && (errno == EINTR || errno == EAGAIN));
	return result;
}

static struct vmm_error *device_open(struct kvm *kvm)
{
	kvm->device_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm->device_fd >= 0)
		return NULL;
	switch (errno) {
	case EACCES:
	case EPERM:
		return vmm_error_new(VMM_EXIT_FAILED,
				     "no permission to open /dev/kvm: join the group that owns it "
				     "(kvm) or run as root");
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return vmm_error_new(VMM_EXIT_FAILED,
				     "this host has no /dev/kvm: load the kvm module, or enable "
				     "virtualisation in the firmware or the outer hypervisor");
	default:
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "cannot open /dev/kvm");
	}
}

struct requirement {
	int capability;
	const char *name;
};

static const struct requirement requirements[] = {
	{KVM_CAP_USER_MEMORY, "user memory regions"},
	{KVM_CAP_IRQCHIP, "in-kernel interrupt controllers"},
	{KVM_CAP_PIT2, "an in-kernel 8254 timer"},
	{KVM_CAP_EXT_CPUID, "CPUID tables"},
	{KVM_CAP_IOEVENTFD, "ioeventfd"},
	{KVM_CAP_IMMEDIATE_EXIT, "immediate exits"},
};

static struct vmm_error *device_probe(struct kvm *kvm)
{
	int version = kvm_number(kvm->device_fd, KVM_GET_API_VERSION, 0);

	if (version != KVM_API_VERSION)
		return vmm_error_new(VMM_EXIT_FAILED,
				     "/dev/kvm speaks version %d of its interface, not %d: is it "
				     "really KVM?",
				     version, KVM_API_VERSION);
	for (size_t i = 0; i < sizeof(requirements) / sizeof(requirements[0]); i++) {
		const struct requirement *need = &requirements[i];

		if (kvm_number(kvm->device_fd, KVM_CHECK_EXTENSION, need->capability) <= 0)
			return vmm_error_new(VMM_EXIT_FAILED,
					     "this host's KVM lacks %s: a newer host kernel has it",
					     need->name);
	}
	return NULL;
}

static void device_measure(struct kvm *kvm)
{
	int vcpus = kvm_number(kvm->device_fd, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS);
	int deadline = kvm_number(kvm->device_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER);

	kvm->vcpus_max = vcpus > 0 ? (unsigned)vcpus : 4; /* 4 is what the API promises */
	kvm->tsc_deadline = deadline > 0;
}

/*
 * A KVM that runs without VT-x or AMD-V offers CPUID bits for features that its emulated kernel
 * mode does not have. The host's own CPU flags are the only thing that tells such a KVM apart;
 * they decide what is hidden from the guest, never whether KVM is used.
 */
static bool host_is_paravirtual(void)
{
	char line[8192];
	bool hardware = false;
	bool found = false;
	FILE *file = fopen("/proc/cpuinfo", "re");

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		found = strncmp(line, "flags", 5) == 0;
		hardware = strstr(line, " vmx") || strstr(line, " svm");
	}
	fclose(file);
	return found && !hardware;
}

/* Intel hosts without unrestricted guest mode need these pages; others take and ignore them. */
static int set_intel_pages(const struct kvm *kvm)
{
	uint64_t identity = KVM_IDENTITY_PAGE;

	if (kvm_number(kvm->device_fd, KVM_CHECK_EXTENSION, KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0 &&
	    kvm_ioctl(kvm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return -1;
	if (kvm_number(kvm->device_fd, KVM_CHECK_EXTENSION, KVM_CAP_SET_TSS_ADDR) > 0)
		return kvm_number(kvm->vm_fd, KVM_SET_TSS_ADDR, KVM_TSS_PAGES);
	return 0;
}

static struct vmm_error *vm_create(struct kvm *kvm)
{
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

	kvm->vm_fd = kvm_number(kvm->device_fd, KVM_CREATE_VM, 0);
	if (kvm->vm_fd < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "KVM cannot create a VM");

	int run_size = kvm_number(kvm->device_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (run_size < (int)sizeof(struct kvm_run))
		return vmm_error_new(VMM_EXIT_FAILED, "KVM reports a vCPU area of %d bytes",
				     run_size);
	kvm->run_size = (size_t)run_size;
	if (set_intel_pages(kvm) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "KVM cannot place its own pages");
	if (kvm_number(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "KVM cannot create interrupt controllers");
	if (kvm_ioctl(kvm->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "KVM cannot create an 8254 timer");
	return NULL;
}

struct vmm_error *kvm_create(struct kvm *kvm)
{
	*kvm = (struct kvm){.device_fd = -1, .vm_fd = -1};
	VMM_TRY(device_open(kvm));
	VMM_TRY(device_probe(kvm));
	device_measure(kvm);
	kvm->paravirtual = host_is_paravirtual();
	return vm_create(kvm);
}

void kvm_destroy(struct kvm *kvm)
{
	if (kvm->vm_fd >= 0)
		close(kvm->vm_fd);
	if (kvm->device_fd >= 0)
		close(kvm->device_fd);
	kvm->vm_fd = kvm->device_fd = -1;
}

struct vmm_error *kvm_map_memory(const struct kvm *kvm, const struct guest_memory *memory)
{
	for (unsigned i = 0; i < memory->region_count; i++) {
		const struct guest_region *region = &memory->regions[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = region->address,
			.memory_size = region->size,
			.userspace_addr = (uint64_t)(uintptr_t)region->host,
		};

		if (kvm_ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return vmm_error_errno(VMM_EXIT_FAILED, errno,
					       "KVM cannot give the guest %llu MiB of memory",
					       (unsigned long long)(memory->size >> 20));
	}
	return NULL;
}

struct vmm_error *kvm_add_notify(const struct kvm *kvm, int event_fd, uint64_t address,
				 uint32_t value)
{
	struct kvm_ioeventfd notify = {
		.datamatch = value,
		.addr = address,
		.len = sizeof(value),
		.fd = event_fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (kvm_ioctl(kvm->vm_fd, KVM_IOEVENTFD, &notify) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno,
				       "KVM cannot watch the notify register at 0x%llx",
				       (unsigned long long)address);
	return NULL;
}
