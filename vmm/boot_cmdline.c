/* SPDX-License-Identifier: MIT */
/*
 * The command line: the user's words, with ours before a "--" (what is behind it belongs to init).
 * Every guest is told where its disks are, although one that reads ACPI tables finds them there: we
 * cannot know which does (acpi=off, or no ACPI built in). Linux probes a disk that it hears of
 * twice once; for the second time it logs that the registers are taken (EBUSY), and goes on. A
 * Linux guest also gets what it cannot find out on a machine without firmware tables, unless the
 * user said something about it.
 */
#include "vmm/boot.h"
#include "vmm/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct linux_default {
	const char *key; /* a word of the user's that begins so decides instead */
	const char *word;
	bool paravirtual_only;
};

static const struct linux_default linux_defaults[] = {
	/* The one console that there is. */
	{"console=", "console=ttyS0", false},
	/* The i8042 ends the VMM; other ways would first wait for ACPI and EFI. */
	{"reboot=", "reboot=k", false},
	/* There is no PCI bus; probing for one costs exits. */
	{"pci=", "pci=off", false},
	/* Asynchronous page faults need an exception that such a KVM cannot always inject. */
	{"no-kvmapf", "no-kvmapf", true},
	/* Such a KVM lets part of CPUID through from the processor, whatever we set. */
	{"clearcpuid=", "clearcpuid=smep,smap,fsgsbase,pcid,invpcid", true},
};

/* Whether a word of `line` begins with `key`. */
static bool has_word(const char *line, size_t length, const char *key)
{
	size_t key_length = strlen(key);

	for (size_t at = 0; at + key_length <= length; at++) {
		bool starts = at == 0 || line[at - 1] == ' ';

		if (starts && strncmp(line + at, key, key_length) == 0)
			return true;
	}
	return false;
}

/* Length of the part that is for the kernel: up to a lone "--". */
static size_t kernel_part(const char *line)
{
	for (const char *at = line; (at = strstr(at, "--")); at += 2) {
		bool starts = at == line || at[-1] == ' ';

		if (starts && (at[2] == ' ' || at[2] == '\0'))
			return (size_t)(at - line);
	}
	return strlen(line);
}

/* Appends a word, with a blank before it; a line that grows too long is found at the end. */
static void add(struct boot *boot, size_t *length, const char *format, ...) VMM_PRINTF(3, 4);
static void add(struct boot *boot, size_t *length, const char *format, ...)
{
	size_t room = *length < sizeof(boot->cmdline) ? sizeof(boot->cmdline) - *length : 0;
	va_list args;

	if (*length > 0 && room > 1 && boot->cmdline[*length - 1] != ' ') {
		boot->cmdline[(*length)++] = ' ';
		room--;
	}
	va_start(args, format);
	*length += (size_t)vsnprintf(room ? boot->cmdline + *length : NULL, room, format, args);
	va_end(args);
}

static void add_defaults(struct boot *boot, const struct machine *machine, size_t *length,
			 const char *line, size_t line_length)
{
	for (size_t i = 0; i < sizeof(linux_defaults) / sizeof(linux_defaults[0]); i++) {
		const struct linux_default *one = &linux_defaults[i];

		if (one->paravirtual_only && !machine->kvm.paravirtual)
			continue;
		if (!has_word(line, line_length, one->key))
			add(boot, length, "%s", one->word);
	}
}

struct vmm_error *boot_cmdline(struct boot *boot, const struct machine *machine, const char *append)
{
	const char *line = append ? append : "";
	size_t own = kernel_part(line);
	size_t length = 0;

	if (own > 0)
		add(boot, &length, "%.*s", (int)own, line);
	if (boot->kernel.is_linux)
		add_defaults(boot, machine, &length, line, own);
	for (unsigned i = 0; i < machine->disk_count; i++)
		add(boot, &length, "virtio_mmio.device=0x%llx@0x%llx:%u",
		    (unsigned long long)VIRTIO_MMIO_SIZE,
		    (unsigned long long)machine_disk_address(i), machine_disk_irq(i));
	if (line[own])
		add(boot, &length, "%s", line + own);
	if (length > BOOT_CMDLINE_MAX)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the guest's command line has %zu characters with what its "
				     "devices need: at most %d are possible, shorten --append",
				     length, BOOT_CMDLINE_MAX);
	return NULL;
}
