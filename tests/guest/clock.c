// SPDX-License-Identifier: MIT
/* How fast the TSC counts. KVM says so in the page of its clock; elsewhere the PIT is the ruler. */
#include "tests/guest/ports.h"

#define CPUID_KVM_SIGNATURE 0x40000000
#define CPUID_KVM_FEATURES  0x40000001
#define KVM_SIGNATURE_EBX   0x4b4d564b /* "KVMK" */
#define KVM_CLOCKSOURCE2    (1 << 3)
#define MSR_KVM_SYSTEM_TIME 0x4b564d01

#define PIT_COMMAND	 0x43
#define PIT_CHANNEL0	 0x40
#define PIT_RATE_DIVIDER 0x34 /* channel 0, low then high byte, mode 2 */
#define PIT_HZ		 1193182
#define PIT_TICKS	 (PIT_HZ / 50)
#define PIT_READS	 1000000 /* a PIT that does not count must not hang the boot */

/* Linux Documentation/virt/kvm/x86/msr.rst, MSR_KVM_SYSTEM_TIME_NEW */
struct kvm_clock {
	uint32_t version, pad;
	uint64_t tsc_timestamp, system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags, pad2[2];
};

static volatile struct kvm_clock kvm_clock __attribute__((aligned(64)));

static uint32_t cpuid(uint32_t leaf, uint32_t *ebx)
{
	uint32_t eax = leaf, ecx = 0, edx;

	asm volatile("cpuid" : "+a"(eax), "=b"(*ebx), "+c"(ecx), "=d"(edx));
	return eax;
}

static int has_kvm_clock(void)
{
	uint32_t ebx;

	cpuid(CPUID_KVM_SIGNATURE, &ebx);
	return ebx == KVM_SIGNATURE_EBX && (cpuid(CPUID_KVM_FEATURES, &ebx) & KVM_CLOCKSOURCE2);
}

static uint64_t ask_kvm_clock(void)
{
	wrmsr(MSR_KVM_SYSTEM_TIME, (uint64_t)&kvm_clock | 1);

	uint32_t mul = kvm_clock.tsc_to_system_mul;
	int shift = kvm_clock.tsc_shift;

	wrmsr(MSR_KVM_SYSTEM_TIME, 0);
	if (!mul)
		return 0;

	uint64_t khz = (1000000ULL << 32) / mul;

	return shift < 0 ? khz << -shift : khz >> shift;
}

static uint16_t read_pit(void)
{
	outb(PIT_COMMAND, 0);

	uint16_t low = inb(PIT_CHANNEL0);

	return (uint16_t)(inb(PIT_CHANNEL0) << 8) | low;
}

static uint64_t count_against_pit(void)
{
	outb(PIT_COMMAND, PIT_RATE_DIVIDER);
	outb(PIT_CHANNEL0, 0);
	outb(PIT_CHANNEL0, 0);

	uint16_t first = read_pit(), ticks = 0;
	uint64_t start = rdtsc();

	for (int i = 0; i < PIT_READS && ticks < PIT_TICKS; i++)
		ticks = first - read_pit(); /* it counts down */
	if (ticks < PIT_TICKS)
		return 0;
	return (rdtsc() - start) * PIT_HZ / ticks / 1000;
}

uint64_t find_tsc_khz(void)
{
	uint64_t khz = has_kvm_clock() ? ask_kvm_clock() : 0;

	return khz ? khz : count_against_pit();
}
