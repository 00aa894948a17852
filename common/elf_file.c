/* SPDX-License-Identifier: MIT */
#include "common/elf_file.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"

static const char *machine_name(const GElf_Ehdr *header)
{
	switch (header->e_machine) {
	case EM_386:
		return "32-bit x86";
	case EM_AARCH64:
		return "AArch64";
	case EM_X86_64:
		return header->e_ident[EI_CLASS] == ELFCLASS32 ? "x32" : "x86-64";
	default:
		return "a foreign architecture";
	}
}

static bool is_supported_machine(const GElf_Ehdr *header)
{
	return header->e_machine == EM_X86_64 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
	       header->e_ident[EI_DATA] == ELFDATA2LSB;
}

/* NT_GNU_BUILD_ID, owner "GNU": written by the linker, in a note section or segment. */
static bool take_build_id(struct vg_elf *elf, Elf_Data *data)
{
	size_t offset = 0, name_offset, desc_offset;
	GElf_Nhdr note;

	while (data && (offset = gelf_getnote(data, offset, &note, &name_offset, &desc_offset))) {
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || note.n_descsz == 0 ||
		    note.n_descsz > VGP_MAX_BUILD_ID ||
		    memcmp((char *)data->d_buf + name_offset, "GNU", 4) != 0)
			continue;
		elf->build_id_bytes = note.n_descsz;
		memcpy(elf->build_id, (char *)data->d_buf + desc_offset, note.n_descsz);
		return true;
	}
	return false;
}

static void find_build_id(struct vg_elf *elf)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	GElf_Phdr phdr;
	size_t phdr_count = 0;

	while ((scn = elf_nextscn(elf->elf, scn)))
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_NOTE &&
		    take_build_id(elf, elf_getdata(scn, NULL)))
			return;
	/* A file may have no section headers at all. */
	elf_getphdrnum(elf->elf, &phdr_count);
	for (size_t i = 0; i < phdr_count; i++)
		if (gelf_getphdr(elf->elf, (int)i, &phdr) && phdr.p_type == PT_NOTE &&
		    take_build_id(elf, elf_getdata_rawchunk(elf->elf, (int64_t)phdr.p_offset,
							    phdr.p_filesz, ELF_T_NHDR)))
			return;
}

/*
 * A header can claim 2^32 entries (PN_XNUM, System V ABI ch. 4: sh_info of section 0), all of them
 * behind the end of the file; each search for one would take seconds.
 */
static bool has_segments_in_file(Elf *elf)
{
	size_t count = 0;
	GElf_Phdr phdr;

	return !elf_getphdrnum(elf, &count) &&
	       (!count || (count <= INT_MAX && gelf_getphdr(elf, (int)(count - 1), &phdr)));
}

static struct vg_error *read_header(struct vg_elf *elf)
{
	elf_version(EV_CURRENT);
	elf->elf = elf_begin(elf->fd, ELF_C_READ_MMAP, NULL);
	if (!elf->elf || elf_kind(elf->elf) != ELF_K_ELF || !gelf_getehdr(elf->elf, &elf->header))
		return vg_error_new(VG_REFUSED, "%s is not an ELF file", elf->path);
	if (!is_supported_machine(&elf->header))
		return vg_error_new(VG_REFUSED, "%s is for %s; only 64-bit x86-64 is supported",
				    elf->path, machine_name(&elf->header));
	if (!has_segments_in_file(elf->elf))
		return vg_error_new(VG_REFUSED,
				    "%s is damaged: its program headers lie outside the file",
				    elf->path);
	return NULL;
}

struct vg_error *vg_elf_open_fd(int fd, const char *path, struct vg_elf **elf_out)
{
	_cleanup_(vg_elf_cleanup) struct vg_elf *elf = calloc(1, sizeof(*elf));
	struct stat status;

	if (!elf) {
		close(fd);
		return vg_error_no_memory();
	}
	elf->fd = fd;
	elf->path = strdup(path);
	if (!elf->path)
		return vg_error_no_memory();
	if (fstat(fd, &status) < 0)
		return vg_error_errno(VG_USAGE, errno, "cannot examine %s", path);
	if (!S_ISREG(status.st_mode))
		return vg_error_new(VG_USAGE, "%s is not a regular file", path);
	VG_TRY(read_header(elf));
	find_build_id(elf);
	*elf_out = vg_take(elf);
	return NULL;
}

struct vg_error *vg_elf_open(const char *path, struct vg_elf **elf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return vg_error_errno(VG_USAGE, errno, "cannot open %s", path);
	return vg_elf_open_fd(fd, path, elf);
}

void vg_elf_close(struct vg_elf *elf)
{
	if (!elf)
		return;
	elf_end(elf->elf);
	if (elf->fd >= 0)
		close(elf->fd);
	free(elf->path);
	free(elf);
}

void vg_elf_release_fd(struct vg_elf *elf)
{
	if (elf->fd < 0 || elf_cntl(elf->elf, ELF_C_FDREAD))
		return;
	close(elf->fd);
	elf->fd = -1;
}

bool vg_elf_is_pie_or_shared(const struct vg_elf *elf)
{
	return elf->header.e_type == ET_DYN;
}

bool vg_elf_load_segment(const struct vg_elf *elf, uint64_t address, GElf_Phdr *phdr)
{
	size_t count = 0;

	elf_getphdrnum(elf->elf, &count);
	for (size_t i = 0; i < count; i++)
		if (gelf_getphdr(elf->elf, (int)i, phdr) && phdr->p_type == PT_LOAD &&
		    address >= phdr->p_vaddr && address - phdr->p_vaddr < phdr->p_memsz)
			return true;
	return false;
}

struct vg_error *vg_elf_read(const struct vg_elf *elf, uint64_t address, void *buffer, size_t count)
{
	GElf_Phdr phdr;

	if (!vg_elf_load_segment(elf, address, &phdr) ||
	    count > phdr.p_memsz - (address - phdr.p_vaddr))
		return vg_error_new(VG_REFUSED, "%s has no %zu bytes at address 0x%lx", elf->path,
				    count, (unsigned long)address);
	memset(buffer, 0, count);

	uint64_t inside = address - phdr.p_vaddr;
	size_t stored = inside < phdr.p_filesz ? phdr.p_filesz - inside : 0;
	if (stored > count)
		stored = count;
	if (stored &&
	    pread(elf->fd, buffer, stored, (off_t)(phdr.p_offset + inside)) != (ssize_t)stored)
		return vg_error_new(VG_REFUSED, "%s ends before address 0x%lx; it is truncated",
				    elf->path, (unsigned long)address);
	return NULL;
}

Elf_Scn *vg_elf_section(const struct vg_elf *elf, const char *name, GElf_Shdr *shdr)
{
	size_t names;
	Elf_Scn *scn = NULL;

	if (elf_getshdrstrndx(elf->elf, &names) != 0)
		return NULL;
	while ((scn = elf_nextscn(elf->elf, scn))) {
		const char *found =
			gelf_getshdr(scn, shdr) ? elf_strptr(elf->elf, names, shdr->sh_name) : NULL;
		if (found && strcmp(found, name) == 0)
			return scn;
	}
	return NULL;
}

void vg_build_id_text(const uint8_t *build_id, size_t count, char *text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < count; i++) {
		*text++ = digits[build_id[i] >> 4];
		*text++ = digits[build_id[i] & 15];
	}
	*text = '\0';
}

static uint64_t page_down(uint64_t value)
{
	return value & ~UINT64_C(4095);
}

struct vg_error *vg_elf_load_bias(const struct vg_elf *elf, uint64_t start, uint64_t offset,
				  uint64_t *bias)
{
	GElf_Phdr phdr;
	size_t count = 0;

	elf_getphdrnum(elf->elf, &count);
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(elf->elf, (int)i, &phdr) || phdr.p_type != PT_LOAD)
			continue;
		/* The dynamic linker maps whole pages, so offsets compare rounded down. */
		if (offset < page_down(phdr.p_offset) || offset >= phdr.p_offset + phdr.p_filesz)
			continue;
		*bias = start - (page_down(phdr.p_vaddr) + (offset - page_down(phdr.p_offset)));
		return NULL;
	}
	return vg_error_new(VG_REFUSED, "%s has no loadable segment at file offset 0x%lx",
			    elf->path, (unsigned long)offset);
}
