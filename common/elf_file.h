/* SPDX-License-Identifier: MIT */
/*
 * An ELF file that is opened for reading (libelf), with what both tools ask of it. Files are
 * untrusted input: every call returns an error instead of believing a size or an index.
 */
#ifndef COMMON_ELF_FILE_H
#define COMMON_ELF_FILE_H

#include <gelf.h>
#include <libelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vgraft/error.h>
#include <vgraft/patch.h>

struct vg_elf {
	char *path; /* for errors */
	int fd;
	Elf *elf;
	GElf_Ehdr header;
	uint8_t build_id[VGP_MAX_BUILD_ID];
	size_t build_id_bytes; /* 0: it has none */
};

/*
 * Missing or unreadable: VG_USAGE. Not ELF: VG_REFUSED. Not 64-bit little-endian x86-64:
 * VG_REFUSED, naming what it is.
 */
VG_MUST_CHECK struct vg_error *vg_elf_open(const char *path, struct vg_elf **elf);
/* Takes over `fd`, also on failure. `path` is for errors only. */
VG_MUST_CHECK struct vg_error *vg_elf_open_fd(int fd, const char *path, struct vg_elf **elf);
void vg_elf_close(struct vg_elf *elf); /* NULL is allowed */
/*
 * Keeps the file without a descriptor, for those who hold many: vg_elf_read() does not work any
 * more, all that libelf does goes on.
 */
void vg_elf_release_fd(struct vg_elf *elf);
static inline void vg_elf_cleanup(struct vg_elf **elf)
{
	vg_elf_close(*elf);
}

bool vg_elf_is_pie_or_shared(const struct vg_elf *elf); /* ET_DYN */
/* Reads `count` bytes at a virtual address from the file's PT_LOAD contents (zero behind p_filesz).
 */
VG_MUST_CHECK struct vg_error *vg_elf_read(const struct vg_elf *elf, uint64_t address, void *buffer,
					   size_t count);
/* The PT_LOAD that holds the address, or NULL; *phdr is filled. */
bool vg_elf_load_segment(const struct vg_elf *elf, uint64_t address, GElf_Phdr *phdr);
/* Section by name; NULL if there is none. */
Elf_Scn *vg_elf_section(const struct vg_elf *elf, const char *name, GElf_Shdr *shdr);
/* Hex text of a build-id; `text` holds 2 * count + 1 bytes. */
void vg_build_id_text(const uint8_t *build_id, size_t count, char *text);

/* Load bias of a module of which the mapping with file offset `offset` starts at `start`. */
VG_MUST_CHECK struct vg_error *vg_elf_load_bias(const struct vg_elf *elf, uint64_t start,
						uint64_t offset, uint64_t *bias);

/* One entry of .symtab or .dynsym. Names are owned by the file. */
struct vg_symbol {
	const char *name;
	const char *file;    /* the STT_FILE that a local symbol stands under, or NULL */
	const char *version; /* .dynsym: version name or NULL */
	bool version_hidden; /* .dynsym: name@VERSION rather than name@@VERSION */
	GElf_Sym sym;
	size_t index;
};
struct vg_symbols {
	struct vg_symbol *symbols; /* in table order */
	size_t count;
};
/* `type` is SHT_SYMTAB or SHT_DYNSYM. A file without the table gives an empty list. */
VG_MUST_CHECK struct vg_error *vg_elf_symbols(const struct vg_elf *elf, uint32_t type,
					      struct vg_symbols *symbols);
/* Is one of them the name (STT_FILE) of that source? Folders are left out: gcc is given any path.
 */
bool vg_symbols_name_file(const struct vg_symbols *symbols, const char *file);
void vg_symbols_clear(struct vg_symbols *symbols);

#endif
