/* SPDX-License-Identifier: MIT */
#include "vmm/options.h"

#include "vmm/size.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY (UINT64_C(256) << 20)

enum {
	OPTION_KERNEL = 1,
	OPTION_INITRD,
	OPTION_APPEND,
	OPTION_MEMORY,
	OPTION_MEMORY_FILE,
	OPTION_CPUS,
	OPTION_DISK,
	OPTION_BOOT,
	OPTION_JSON,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"kernel", required_argument, NULL, OPTION_KERNEL},
	{"initrd", required_argument, NULL, OPTION_INITRD},
	{"append", required_argument, NULL, OPTION_APPEND},
	{"memory", required_argument, NULL, OPTION_MEMORY},
	{"memory-file", required_argument, NULL, OPTION_MEMORY_FILE},
	{"cpus", required_argument, NULL, OPTION_CPUS},
	{"disk", required_argument, NULL, OPTION_DISK},
	{"boot", required_argument, NULL, OPTION_BOOT},
	{"json", no_argument, NULL, OPTION_JSON},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static struct vmm_error *string_take(const char **slot, const char *name, const char *value)
{
	if (*slot)
		return vmm_error_new(VMM_EXIT_USAGE, "--%s is given twice: once is enough", name);
	*slot = value;
	return NULL;
}

static struct vmm_error *memory_take(struct options *options, const char *value)
{
	if (!size_parse(value, &options->memory))
		return vmm_error_new(VMM_EXIT_USAGE,
				     "--memory %s is not a size: give MiB, or a number with K, M "
				     "or G behind it",
				     value);
	return NULL;
}

static struct vmm_error *cpus_take(struct options *options, const char *value)
{
	uint64_t cpus;

	if (!number_parse(value, 1, OPTIONS_CPUS_MAX, &cpus))
		return vmm_error_new(VMM_EXIT_USAGE,
				     "--cpus %s is not possible: give a number from 1 to %d", value,
				     OPTIONS_CPUS_MAX);
	options->cpus = (unsigned)cpus;
	return NULL;
}

/* Where ",readonly=..." begins, or NULL. Any other comma belongs to the file's name. */
static const char *readonly_suffix(const char *value)
{
	const char *found = NULL;

	for (const char *at = value; (at = strstr(at, ",readonly=")); at++)
		found = at;
	return found;
}

static struct vmm_error *disk_take(struct options *options, const char *value)
{
	const char *suffix = readonly_suffix(value);
	size_t length = suffix ? (size_t)(suffix - value) : strlen(value);

	if (options->disk_count == OPTIONS_DISKS_MAX)
		return vmm_error_new(VMM_EXIT_USAGE, "a guest can have %d disks, not more",
				     OPTIONS_DISKS_MAX);
	if (length == 0)
		return vmm_error_new(VMM_EXIT_USAGE, "--disk needs the name of a file");
	if (suffix && strcmp(suffix, ",readonly=on") != 0 && strcmp(suffix, ",readonly=off") != 0)
		return vmm_error_new(VMM_EXIT_USAGE, "--disk %s: readonly is either on or off",
				     value);

	struct disk_option *disk = &options->disks[options->disk_count];

	disk->path = strndup(value, length);
	if (!disk->path)
		return vmm_error_no_memory();
	disk->readonly = suffix && strcmp(suffix, ",readonly=on") == 0;
	options->disk_count++;
	return NULL;
}

static struct vmm_error *boot_take(struct options *options, const char *value)
{
	if (strcmp(value, "auto") == 0)
		options->boot = BOOT_AUTO;
	else if (strcmp(value, "pvh") == 0)
		options->boot = BOOT_PVH;
	else if (strcmp(value, "linux64") == 0)
		options->boot = BOOT_LINUX64;
	else
		return vmm_error_new(VMM_EXIT_USAGE,
				     "--boot %s is unknown: give auto, pvh or linux64", value);
	return NULL;
}

static struct vmm_error *option_take(struct options *options, int option, const char *value)
{
	switch (option) {
	case OPTION_KERNEL:
		return string_take(&options->kernel, "kernel", value);
	case OPTION_INITRD:
		return string_take(&options->initrd, "initrd", value);
	case OPTION_APPEND:
		return string_take(&options->append, "append", value);
	case OPTION_MEMORY_FILE:
		return string_take(&options->memory_file, "memory-file", value);
	case OPTION_MEMORY:
		return memory_take(options, value);
	case OPTION_CPUS:
		return cpus_take(options, value);
	case OPTION_DISK:
		return disk_take(options, value);
	case OPTION_BOOT:
		return boot_take(options, value);
	case OPTION_JSON:
		options->json = true;
		return NULL;
	default:
		options->help = true;
		return NULL;
	}
}

static struct vmm_error *option_reject(int reason, const char *word)
{
	if (reason == ':')
		return vmm_error_new(VMM_EXIT_USAGE, "%s needs a value: see vgraft-vmm run --help",
				     word);
	return vmm_error_new(VMM_EXIT_USAGE, "%s is not an option: see vgraft-vmm run --help",
			     word);
}

struct vmm_error *options_parse(struct options *options, int argc, char **argv)
{
	int option;

	*options = (struct options){.memory = DEFAULT_MEMORY, .cpus = 1};
	optind = 1;
	opterr = 0;
	/* '+': stop at the first word that is no option; ':': tell a missing value apart. */
	while ((option = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			return option_reject(option, argv[optind - 1]);
		VMM_TRY(option_take(options, option, optarg));
	}
	if (options->help)
		return NULL;
	if (optind < argc)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "%s is not an option: see vgraft-vmm run --help",
				     argv[optind]);
	if (!options->kernel)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "there is no kernel to run: name one with --kernel FILE");
	return NULL;
}

void options_free(struct options *options)
{
	for (unsigned i = 0; i < options->disk_count; i++)
		free(options->disks[i].path);
	options->disk_count = 0;
}
