/* SPDX-License-Identifier: MIT */
#include "differ/dwarf_form.h"

#include <libdwarf/dwarf.h>

/* From DWARF 3 on such a reference is an offset; before, an address. */
static uint64_t read_ref_addr(struct vg_dwarf_reader *reader, unsigned version)
{
	return vg_dwarf_read(reader, version == 2 ? 8 : 4);
}

/* What is no number. */
static void skip_form(struct vg_dwarf_reader *reader, uint64_t form)
{
	switch (form) {
	case DW_FORM_data16:
		vg_dwarf_skip(reader, 16);
		break;
	case DW_FORM_block1:
		vg_dwarf_skip(reader, vg_dwarf_read(reader, 1));
		break;
	case DW_FORM_block2:
		vg_dwarf_skip(reader, vg_dwarf_read(reader, 2));
		break;
	case DW_FORM_block4:
		vg_dwarf_skip(reader, vg_dwarf_read(reader, 4));
		break;
	case DW_FORM_block:
	case DW_FORM_exprloc:
		vg_dwarf_skip(reader, vg_dwarf_read_leb(reader));
		break;
	case DW_FORM_string:
		vg_dwarf_skip_text(reader);
		break;
	case DW_FORM_flag_present:
	case DW_FORM_implicit_const: /* its value is in the abbreviation */
		break;
	default:
		reader->failed = true;
	}
}

uint64_t vg_dwarf_read_form(struct vg_dwarf_reader *reader, uint64_t form, unsigned version)
{
	switch (form) {
	case DW_FORM_flag:
	case DW_FORM_data1:
	case DW_FORM_ref1:
	case DW_FORM_strx1:
	case DW_FORM_addrx1:
		return vg_dwarf_read(reader, 1);
	case DW_FORM_data2:
	case DW_FORM_ref2:
	case DW_FORM_strx2:
	case DW_FORM_addrx2:
		return vg_dwarf_read(reader, 2);
	case DW_FORM_strx3:
	case DW_FORM_addrx3:
		return vg_dwarf_read(reader, 3);
	case DW_FORM_data4:
	case DW_FORM_ref4:
	case DW_FORM_strx4:
	case DW_FORM_addrx4:
	case DW_FORM_sec_offset:
	case DW_FORM_strp:
	case DW_FORM_line_strp:
	case DW_FORM_strp_sup:
	case DW_FORM_ref_sup4:
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_GNU_strp_alt:
		return vg_dwarf_read(reader, 4);
	case DW_FORM_addr:
	case DW_FORM_data8:
	case DW_FORM_ref8:
	case DW_FORM_ref_sig8:
	case DW_FORM_ref_sup8:
		return vg_dwarf_read(reader, 8);
	case DW_FORM_udata:
	case DW_FORM_sdata:
	case DW_FORM_ref_udata:
	case DW_FORM_strx:
	case DW_FORM_addrx:
	case DW_FORM_loclistx:
	case DW_FORM_rnglistx:
	case DW_FORM_GNU_addr_index:
	case DW_FORM_GNU_str_index:
		return vg_dwarf_read_leb(reader);
	case DW_FORM_ref_addr:
		return read_ref_addr(reader, version);
	default:
		skip_form(reader, form);
		return 0;
	}
}
