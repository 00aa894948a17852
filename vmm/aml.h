/* SPDX-License-Identifier: MIT */
/*
 * ACPI Machine Language, as much of it as the description of a few fixed devices needs (ACPI 6.4
 * chapter 20.2). Bytes are appended to a buffer of the caller's; what does not fit is dropped and
 * remembered, so that only the end needs a check.
 */
#ifndef VMM_AML_H
#define VMM_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *bytes;
	size_t size; /* of the buffer */
	size_t used;
	bool overflow;
};

/* Things that contain others: begin returns a mark for aml_end(), which fills in the length. */
size_t aml_begin_scope(struct aml *aml, const char *root_name); /* one name below the root */
size_t aml_begin_device(struct aml *aml, const char *name);
void aml_end(struct aml *aml, size_t mark);

/* Name (NAME, value). Names have four characters. */
void aml_name_integer(struct aml *aml, const char *name, uint32_t value);
void aml_name_string(struct aml *aml, const char *name, const char *text);
void aml_name_package(struct aml *aml, const char *name, const uint8_t *values, uint8_t count);

/* Name (_CRS, ResourceTemplate () {...}); what is in between comes from the functions below. */
size_t aml_begin_resources(struct aml *aml);
void aml_end_resources(struct aml *aml, size_t mark);
void aml_memory(struct aml *aml, uint32_t address, uint32_t size);
void aml_ports(struct aml *aml, uint16_t port, uint8_t count);
void aml_interrupt(struct aml *aml, uint32_t number); /* edge-triggered, active high, exclusive */

#endif
