/* SPDX-License-Identifier: MIT */
#include "patcher/symbol_file.h"

#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/text_file.h"
#include "patcher/cfi.h"
#include "patcher/names.h"
#include "patcher/unwind_table.h"

/* Text that grows; what can't be allocated shows when it is closed. */
struct buffer {
	FILE *stream;
	char *bytes;
	size_t count;
};

struct sections {
	struct buffer names; /* of sections */
	struct buffer strings, symbols, frames;
	Elf *elf;
};

static bool buffer_open(struct buffer *buffer)
{
	buffer->stream = open_memstream(&buffer->bytes, &buffer->count);
	return buffer->stream;
}

static bool buffer_close(struct buffer *buffer)
{
	FILE *stream = buffer->stream;

	buffer->stream = NULL;
	return stream && fclose(stream) == 0;
}

static void buffer_clear(struct buffer *buffer)
{
	if (buffer->stream)
		fclose(buffer->stream);
	free(buffer->bytes);
}

static void put(struct buffer *buffer, const void *bytes, size_t count)
{
	fwrite(bytes, 1, count, buffer->stream);
}

/* Returns the offset of the string. */
static uint32_t put_string(struct buffer *buffer, const char *text)
{
	long offset = ftell(buffer->stream);

	put(buffer, text, strlen(text) + 1);
	return (uint32_t)offset;
}

static void sections_clear(struct sections *sections)
{
	if (sections->elf)
		elf_end(sections->elf);
	buffer_clear(&sections->names);
	buffer_clear(&sections->strings);
	buffer_clear(&sections->symbols);
	buffer_clear(&sections->frames);
}

/* ---- .debug_frame */

static void put_uleb(struct buffer *buffer, uint64_t value)
{
	do {
		uint8_t byte = value & 0x7f;

		value >>= 7;
		byte |= value ? 0x80 : 0;
		put(buffer, &byte, 1);
	} while (value);
}

static void put_sleb(struct buffer *buffer, int64_t value)
{
	bool more = true;

	while (more) {
		uint8_t byte = value & 0x7f;

		value >>= 7;
		more = !((value == 0 && !(byte & 0x40)) || (value == -1 && byte & 0x40));
		byte |= more ? 0x80 : 0;
		put(buffer, &byte, 1);
	}
}

/* A record of .debug_frame: its length, then what `body` holds, padded with DW_CFA_nop. */
static struct vg_error *put_record(struct buffer *frames, struct buffer *body)
{
	static const uint8_t nops[8];

	if (!buffer_close(body))
		return vg_error_new(VG_FAILED, "out of memory for unwind information");

	uint32_t padding = (uint32_t)(-(body->count + 4) & 7);
	uint32_t length = (uint32_t)body->count + padding;

	put(frames, &length, sizeof(length));
	put(frames, body->bytes, body->count);
	put(frames, nops, padding);
	return NULL;
}

/* Version 1: without augmentation, addresses are whole words. */
static struct vg_error *put_cie(struct buffer *frames, const struct cfi_entry *entry)
{
	_cleanup_(buffer_clear) struct buffer body = {0};
	static const uint8_t head[] = {0xff, 0xff, 0xff, 0xff, 1, 0};
	uint8_t return_register = (uint8_t)entry->return_register;

	if (!buffer_open(&body))
		return vg_error_new(VG_FAILED, "out of memory for unwind information");
	put(&body, head, sizeof(head));
	put_uleb(&body, entry->code_align);
	put_sleb(&body, entry->data_align);
	put(&body, &return_register, 1);
	put(&body, entry->initial.bytes, entry->initial.count);
	return put_record(frames, &body);
}

static struct vg_error *put_fde(struct buffer *frames, uint32_t cie, const struct cfi_entry *entry)
{
	_cleanup_(buffer_clear) struct buffer body = {0};
	uint64_t range[2] = {entry->start, entry->end - entry->start};

	if (!buffer_open(&body))
		return vg_error_new(VG_FAILED, "out of memory for unwind information");
	put(&body, &cie, sizeof(cie));
	put(&body, range, sizeof(range));
	put(&body, entry->program.bytes, entry->program.count);
	return put_record(frames, &body);
}

static bool read_memory(void *context, uint64_t address, void *buffer, size_t count)
{
	return vg_memory_read_some(context, address, buffer, count) == count;
}

/* The pairs of .eh_frame_hdr, as unwind_table.h has it; *pairs is owned by the caller. */
static struct vg_error *read_index(const struct vg_memory *memory, const struct vg_area *area,
				   int32_t (**pairs)[2], uint32_t *count)
{
	uint64_t index =
		area->header.area_address + area->header.unwind_offset + VG_FIND_OBJECT_BYTES;
	uint32_t head[3];

	VG_TRY(vg_memory_read(memory, index, head, sizeof(head)));
	*count = head[2];
	if (*count > area->header.unwind_bytes / sizeof(**pairs))
		return vg_error_new(VG_FAILED, "the patch area at 0x%lx is damaged (unwind index)",
				    area->header.area_address);
	*pairs = calloc(*count + 1, sizeof(**pairs));
	if (!*pairs)
		return vg_error_new(VG_FAILED, "out of memory for unwind information");
	return vg_memory_read(memory, index + sizeof(head), *pairs, *count * sizeof(**pairs));
}

static struct vg_error *put_frames_of(const struct vg_memory *memory, const struct vg_area *area,
				      struct buffer *frames)
{
	_cleanup_free_ struct cfi_entry *entry = malloc(sizeof(*entry));
	_cleanup_free_ int32_t(*pairs)[2] = NULL;
	uint64_t start = area->header.area_address + area->header.unwind_offset;
	struct cfi_table table = {.eh_frame = start,
				  .eh_frame_end = area->header.area_address +
						  area->header.text_offset +
						  area->header.text_bytes,
				  .index = start + VG_FIND_OBJECT_BYTES,
				  .index_end = start + area->header.unwind_bytes,
				  .read = read_memory,
				  .context = (void *)memory};
	uint32_t count;

	if (!entry)
		return vg_error_new(VG_FAILED, "out of memory for unwind information");
	VG_TRY(read_index(memory, area, &pairs, &count));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t cie = (uint32_t)ftell(frames->stream);

		if (cfi_find(&table, table.index + (uint64_t)(int64_t)pairs[i][0], entry) != CFI_OK)
			continue;
		VG_TRY(put_cie(frames, entry));
		VG_TRY(put_fde(frames, cie, entry));
	}
	return NULL;
}

/* ---- sections */

static Elf_Data *add_section(struct sections *sections, const char *name, const GElf_Shdr *like,
			     const struct buffer *content)
{
	Elf_Scn *section = elf_newscn(sections->elf);
	Elf_Data *data = section ? elf_newdata(section) : NULL;
	GElf_Shdr header = *like;

	if (!data)
		return NULL;
	header.sh_name = put_string(&sections->names, name);
	data->d_buf = content ? content->bytes : NULL;
	data->d_size = content ? content->count : like->sh_size;
	data->d_align = like->sh_addralign;
	data->d_type = like->sh_type == SHT_SYMTAB ? ELF_T_SYM : ELF_T_BYTE;
	data->d_version = EV_CURRENT;
	return gelf_update_shdr(section, &header) ? data : NULL;
}

static void put_symbol(struct sections *sections, const struct vg_name *name, size_t section)
{
	_cleanup_free_ char *text = NULL;
	Elf64_Sym symbol = {.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			    .st_shndx = (Elf64_Section)section,
			    .st_value = name->address,
			    .st_size = name->bytes};

	if (asprintf(&text, "%s%s", name->symbol, name->kind) < 0)
		return;
	symbol.st_name = put_string(&sections->strings, text);
	put(&sections->symbols, &symbol, sizeof(symbol));
}

static bool is_in(const struct vga_header *header, uint64_t address)
{
	return address >= header->area_address &&
	       address - header->area_address < header->area_bytes;
}

/* The section of one area, with its symbols and frames; it is the n-th. */
static struct vg_error *add_area(struct sections *sections, const struct vg_memory *memory,
				 const struct vg_area *area, const struct vg_names *names, size_t n)
{
	const struct vga_header *header = &area->header;
	GElf_Shdr text = {.sh_type = SHT_NOBITS,
			  .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
			  .sh_addr = header->area_address + header->stubs_offset,
			  .sh_size =
				  header->text_offset + header->text_bytes - header->stubs_offset,
			  .sh_addralign = 16};
	char name[32];

	snprintf(name, sizeof(name), n == 1 ? ".text" : ".text.%zu", n);
	if (!add_section(sections, name, &text, NULL))
		return vg_error_new(VG_FAILED, "cannot make a section for a patch area");
	for (size_t i = 0; i < names->count; i++)
		if (is_in(header, names->names[i].address))
			put_symbol(sections, &names->names[i], n);
	return put_frames_of(memory, area, &sections->frames);
}

static struct vg_error *add_areas(struct sections *sections, const struct vg_memory *memory,
				  const struct vg_areas *areas, size_t *count)
{
	_cleanup_(vg_names_clear) struct vg_names names = {0};

	VG_TRY(vg_names_list(areas, &names));
	for (size_t p = 0; p < areas->count; p++) {
		const struct vg_installed *installed = &areas->patches[p];

		for (size_t a = 0; vg_installed_is_linked(installed) && a < installed->area_count;
		     a++)
			VG_TRY(add_area(sections, memory, &installed->areas[a], &names, ++*count));
	}
	return NULL;
}

static struct vg_error *elf_failed(void)
{
	return vg_error_new(VG_FAILED, "cannot make the file of symbols: %s", elf_errmsg(-1));
}

static struct vg_error *add_tables(struct sections *sections, size_t areas)
{
	GElf_Shdr frames = {.sh_type = SHT_PROGBITS, .sh_addralign = 8};
	GElf_Shdr symbols = {.sh_type = SHT_SYMTAB,
			     .sh_entsize = sizeof(Elf64_Sym),
			     .sh_link = (GElf_Word)areas + 3,
			     .sh_info = 1,
			     .sh_addralign = 8};
	GElf_Shdr strings = {.sh_type = SHT_STRTAB, .sh_addralign = 1};
	GElf_Ehdr header;
	Elf_Data *names;

	if (!buffer_close(&sections->frames) || !buffer_close(&sections->symbols) ||
	    !buffer_close(&sections->strings))
		return vg_error_new(VG_FAILED, "out of memory for the file of symbols");
	if (!add_section(sections, ".debug_frame", &frames, &sections->frames) ||
	    !add_section(sections, ".symtab", &symbols, &sections->symbols) ||
	    !add_section(sections, ".strtab", &strings, &sections->strings))
		return elf_failed();
	names = add_section(sections, ".shstrtab", &strings, NULL);
	if (!names || !buffer_close(&sections->names) || !gelf_getehdr(sections->elf, &header))
		return elf_failed();
	names->d_buf = sections->names.bytes;
	names->d_size = sections->names.count;
	header.e_type = ET_EXEC;
	header.e_machine = EM_X86_64;
	header.e_version = EV_CURRENT;
	header.e_shstrndx = (GElf_Half)(areas + 4);
	return gelf_update_ehdr(sections->elf, &header) ? NULL : elf_failed();
}

static struct vg_error *start(struct sections *sections, int fd)
{
	static const Elf64_Sym none;

	if (fd < 0 || !buffer_open(&sections->names) || !buffer_open(&sections->strings) ||
	    !buffer_open(&sections->symbols) || !buffer_open(&sections->frames))
		return vg_error_new(VG_FAILED, "out of memory for the file of symbols");
	put_string(&sections->names, "");
	put_string(&sections->strings, "");
	put(&sections->symbols, &none, sizeof(none));
	elf_version(EV_CURRENT);
	sections->elf = elf_begin(fd, ELF_C_WRITE, NULL);
	if (!sections->elf || !gelf_newehdr(sections->elf, ELFCLASS64))
		return elf_failed();
	return NULL;
}

struct vg_error *vg_symbol_file_make(const struct vg_memory *memory, const struct vg_areas *areas,
				     uint8_t **bytes, size_t *count)
{
	_cleanup_close_ int fd = memfd_create("vgraft symbols", MFD_CLOEXEC);
	_cleanup_(sections_clear) struct sections sections = {0};
	size_t area_count = 0;

	VG_TRY(start(&sections, fd));
	VG_TRY(add_areas(&sections, memory, areas, &area_count));
	VG_TRY(add_tables(&sections, area_count));
	if (elf_update(sections.elf, ELF_C_WRITE) < 0)
		return elf_failed();
	lseek(fd, 0, SEEK_SET);
	return vg_text_file_read_fd(fd, "the file of symbols", (char **)bytes, count);
}
