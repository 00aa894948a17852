/* SPDX-License-Identifier: MIT */
#include "vmm/report.h"

#include <inttypes.h>
#include <unistd.h>

/* A JSON string (RFC 8259 §7). Bytes above 127 go through: file names are taken to be UTF-8. */
static void json_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at == '"' || *at == '\\')
			fprintf(to, "\\%c", *at);
		else if (*at < 0x20)
			fprintf(to, "\\u%04x", *at);
		else
			fputc(*at, to);
	}
	fputc('"', to);
}

static void json_disks(FILE *to, const struct machine *machine)
{
	fprintf(to, "[");
	for (unsigned i = 0; i < machine->disk_count; i++)
		fprintf(to,
			"%s{\"address\":%" PRIu64 ",\"irq\":%u,\"sectors\":%" PRIu64
			",\"readonly\":%s}",
			i ? "," : "", machine_disk_address(i), machine_disk_irq(i),
			machine->disks[i]->image.sectors,
			machine->disks[i]->image.readonly ? "true" : "false");
	fprintf(to, "]");
}

void report_started(FILE *to, const struct machine *machine, const struct boot *boot)
{
	fprintf(to,
		"{\"event\":\"started\",\"pid\":%d,\"boot\":\"%s\",\"memory\":%" PRIu64
		",\"cpus\":%u,\"append\":",
		(int)getpid(), boot->protocol == BOOT_PVH ? "pvh" : "linux64", machine->memory.size,
		machine->vcpu_count);
	json_string(to, boot->cmdline);
	fprintf(to, ",\"disks\":");
	json_disks(to, machine);
	fprintf(to, "}\n");
}

void report_ended(FILE *to, const struct machine *machine, int status)
{
	const struct ending *ending = &machine->ending;
	uint64_t exits = 0;

	for (unsigned i = 0; i < machine->vcpu_count; i++)
		exits += machine->vcpus[i].exits;
	fprintf(to, "{\"event\":\"ended\",\"reason\":\"%s\",\"exit\":%d,\"exits\":%" PRIu64,
		ending_name(ending->reason), status, exits);
	if (ending->text[0]) {
		fprintf(to, ",\"text\":");
		json_string(to, ending->text);
	}
	fprintf(to, "}\n");
}
