/* SPDX-License-Identifier: MIT */
#include "vmm/run.h"

#include "vmm/boot.h"
#include "vmm/machine.h"
#include "vmm/report.h"

#include <signal.h>
#include <stdio.h>

static const char help[] =
	"usage: vgraft-vmm run --kernel FILE [OPTION ...]\n"
	"\n"
	"  --kernel FILE       ELF kernel: PVH, or a Linux vmlinux\n"
	"  --initrd FILE       initial RAM disk\n"
	"  --append STR        the guest's command line\n"
	"  --memory SIZE       with K, M or G behind it; a plain number is MiB (default 256)\n"
	"  --memory-file FILE  guest memory is a shared mapping of FILE\n"
	"  --cpus N            vCPUs, 1 to 254 (default 1)\n"
	"  --disk FILE[,readonly=on]\n"
	"                      virtio-blk disk; may be repeated\n"
	"  --boot PROTOCOL     auto (default), pvh or linux64\n"
	"  --json              report start and end as JSON on standard error\n"
	"  --help              this text\n"
	"\n"
	"Standard input and output are the guest's serial port; on a terminal, ctrl-a x ends the\n"
	"VMM. Exit status: 0 the guest reset or powered itself off, 1 the host or the machine\n"
	"failed, 2 wrong command line or unreadable file.\n";

/* How the machine's end looks from outside; for a signal, as shells show it. */
static int ending_status(const struct ending *ending)
{
	switch (ending->reason) {
	case ENDING_FAILED:
		return VMM_EXIT_FAILED;
	case ENDING_SIGNAL:
		return 128 + ending->signal;
	default:
		return VMM_EXIT_DONE;
	}
}

static void notice_print(const char *sentence)
{
	fprintf(stderr, "vgraft-vmm: %s\n", sentence);
}

static struct vmm_error *guest_run(struct machine *machine, const struct options *options)
{
	struct boot boot;

	VMM_TRY(machine_create(machine, options, notice_print));
	VMM_TRY(boot_load(&boot, machine, options));
	if (options->json)
		report_started(stderr, machine, &boot);
	return machine_run(machine);
}

/* Ends as the signal would have ended us, so that whoever started us sees what happened. */
static void signal_repeat(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(number);
}

static int failed(struct vmm_error *error)
{
	int status = vmm_error_code(error);

	fprintf(stderr, "vgraft-vmm: %s\n", vmm_error_text(error));
	vmm_error_free(error);
	return status;
}

static int ended(const struct machine *machine, const struct options *options)
{
	const struct ending *ending = &machine->ending;
	int status = ending_status(ending);

	if (ending->text[0])
		fprintf(stderr, "vgraft-vmm: %s\n", ending->text);
	if (options->json)
		report_ended(stderr, machine, status);
	return status;
}

static int options_run(const struct options *options)
{
	struct machine machine;
	struct vmm_error *error = guest_run(&machine, options);
	int signal_number = machine.ending.signal;
	int status;

	/* First the terminal, so that what follows looks right on it. */
	console_destroy(&machine.console);
	status = error ? failed(error) : ended(&machine, options);
	machine_destroy(&machine);
	if (signal_number)
		signal_repeat(signal_number);
	return status;
}

int vmm_run(int argc, char **argv)
{
	struct options options;
	struct vmm_error *error = options_parse(&options, argc, argv);
	int status;

	if (error) {
		status = failed(error);
	} else if (options.help) {
		fputs(help, stdout);
		status = VMM_EXIT_DONE;
	} else {
		status = options_run(&options);
	}
	options_free(&options);
	return status;
}
