/* SPDX-License-Identifier: MIT */
/* Values of attributes (DWARF 5, 7.5.6 and table 7.6), and what GNU added for DWARF 4. */
#ifndef DIFFER_DWARF_FORM_H
#define DIFFER_DWARF_FORM_H

#include "differ/dwarf_reader.h"

/*
 * Reads a value of 32-bit DWARF for machines with addresses of 8 bytes. Returns the number (not
 * extended by the sign), 0 for what is none; a form that is unknown, or only says where to find the
 * form (DW_FORM_indirect), sets `failed`.
 */
uint64_t vg_dwarf_read_form(struct vg_dwarf_reader *reader, uint64_t form, unsigned version);

#endif
