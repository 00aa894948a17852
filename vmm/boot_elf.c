/* SPDX-License-Identifier: MIT */
/*
 * 1. Read the file header; say what the file is if it is no kernel of ours.
 * 2. Read the program headers (at most 64) and widen 32-bit ones, so that the rest knows one kind.
 * 3. PT_NOTE: look for the PVH entry and for who made the kernel. PT_LOAD: see where it is linked.
 *    From these tell a kernel from a program.
 * 4. PT_LOAD: check the segment against the file and the guest's memory, read it in.
 * Every number comes from the file and is checked before it is used; nothing is mapped.
 */
#include "vmm/boot_elf.h"

#include "vmm/boot.h"
#include "vmm/cleanup.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define HEADERS_MAX		 64
#define NOTES_MAX		 (1 << 20) /* bytes */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

struct elf_file {
	int fd;
	const char *path;
	uint64_t size;
	bool is_64bit;
	uint64_t headers_offset;
	unsigned header_count;
	unsigned header_size;
};

/* Reads all of [offset, offset + length) or fails. */
static struct vmm_error *file_read(const struct elf_file *file, uint64_t offset, void *data,
				   uint64_t length)
{
	uint8_t *to = data;

	if (offset > file->size || length > file->size - offset)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the kernel %s is cut short or damaged: it refers to byte "
				     "%llu of %llu",
				     file->path, (unsigned long long)offset + length,
				     (unsigned long long)file->size);
	while (length > 0) {
		ssize_t got = pread(file->fd, to, length, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return vmm_error_errno(VMM_EXIT_USAGE, got ? errno : EIO,
					       "cannot read the kernel %s", file->path);
		to += got;
		offset += (uint64_t)got;
		length -= (uint64_t)got;
	}
	return NULL;
}

struct signature {
	unsigned offset;
	const char *bytes;
	const char *advice;
};

/* Kernels as distributions ship them, and what to do with them. */
static const struct signature signatures[] = {
	{0x202, "HdrS", "it is a bzImage: unpack the vmlinux in it (scripts/extract-vmlinux)"},
	{0, "\x1f\x8b", "it is packed with gzip: unpack it first"},
	{0, "\x28\xb5\x2f\xfd", "it is packed with zstd: unpack it first (zstd -d)"},
	{0,
	 "\xfd"
	 "7zXZ",
	 "it is packed with xz: unpack it first"},
};

static struct vmm_error *not_a_kernel(const struct elf_file *file)
{
	char bytes[8];

	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
		const struct signature *known = &signatures[i];
		size_t length = strlen(known->bytes);

		if (known->offset + length > file->size)
			continue;
		VMM_TRY(file_read(file, known->offset, bytes, length));
		if (memcmp(bytes, known->bytes, length) == 0)
			return vmm_error_new(VMM_EXIT_USAGE, "%s is not an ELF kernel: %s",
					     file->path, known->advice);
	}
	return vmm_error_new(
		VMM_EXIT_USAGE,
		"%s is not an ELF kernel: give an uncompressed vmlinux or a PVH kernel",
		file->path);
}

static struct vmm_error *header_read_64(struct elf_file *file, struct elf_kernel *kernel)
{
	Elf64_Ehdr header;

	VMM_TRY(file_read(file, 0, &header, sizeof(header)));
	if (header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr))
		return vmm_error_new(VMM_EXIT_USAGE, "the kernel %s is not for x86-64", file->path);
	file->headers_offset = header.e_phoff;
	file->header_count = header.e_phnum;
	kernel->entry = header.e_entry;
	return NULL;
}

static struct vmm_error *header_read_32(struct elf_file *file, struct elf_kernel *kernel)
{
	Elf32_Ehdr header;

	VMM_TRY(file_read(file, 0, &header, sizeof(header)));
	if (header.e_machine != EM_386 || header.e_phentsize != sizeof(Elf32_Phdr))
		return vmm_error_new(VMM_EXIT_USAGE, "the kernel %s is not for x86", file->path);
	file->headers_offset = header.e_phoff;
	file->header_count = header.e_phnum;
	kernel->entry = header.e_entry;
	return NULL;
}

static struct vmm_error *header_read(struct elf_file *file, struct elf_kernel *kernel)
{
	unsigned char ident[EI_NIDENT] = {0};

	if (file->size >= EI_NIDENT)
		VMM_TRY(file_read(file, 0, ident, EI_NIDENT));
	if (memcmp(ident, ELFMAG, SELFMAG) != 0)
		return not_a_kernel(file);
	if (ident[EI_DATA] != ELFDATA2LSB)
		return vmm_error_new(VMM_EXIT_USAGE, "the kernel %s is not for x86", file->path);
	file->is_64bit = kernel->is_64bit = ident[EI_CLASS] == ELFCLASS64;
	VMM_TRY(file->is_64bit ? header_read_64(file, kernel) : header_read_32(file, kernel));
	if (file->header_count == 0 || file->header_count > HEADERS_MAX)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the kernel %s has %u program headers: a kernel has 1 to %d",
				     file->path, file->header_count, HEADERS_MAX);
	return NULL;
}

static struct vmm_error *program_header_read(const struct elf_file *file, unsigned index,
					     Elf64_Phdr *out)
{
	Elf32_Phdr narrow;

	if (file->is_64bit)
		return file_read(file, file->headers_offset + index * sizeof(*out), out,
				 sizeof(*out));
	VMM_TRY(file_read(file, file->headers_offset + index * sizeof(narrow), &narrow,
			  sizeof(narrow)));
	*out = (Elf64_Phdr){
		.p_type = narrow.p_type,
		.p_offset = narrow.p_offset,
		.p_vaddr = narrow.p_vaddr,
		.p_paddr = narrow.p_paddr,
		.p_filesz = narrow.p_filesz,
		.p_memsz = narrow.p_memsz,
		.p_align = narrow.p_align,
	};
	return NULL;
}

/* Below 1 MiB are our own tables and the legacy holes. */
static bool is_loadable_at(uint64_t address)
{
	return address >= BOOT_KERNEL_MIN;
}

static struct vmm_error *segment_load(const struct elf_file *file, const Elf64_Phdr *segment,
				      struct elf_kernel *kernel, const struct guest_memory *memory)
{
	if (segment->p_memsz == 0)
		return NULL;
	if (segment->p_filesz > segment->p_memsz)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the kernel %s is damaged: a segment has more bytes in the "
				     "file than in memory",
				     file->path);

	uint8_t *host = guest_memory_at(memory, segment->p_paddr, segment->p_memsz);

	if (!host || !is_loadable_at(segment->p_paddr))
		return vmm_error_new(VMM_EXIT_USAGE,
				     "the kernel %s has a segment of 0x%llx bytes at 0x%llx, which "
				     "is not in the guest's memory: it must lie between 1 MiB and "
				     "the end; --memory may be too small",
				     file->path, (unsigned long long)segment->p_memsz,
				     (unsigned long long)segment->p_paddr);
	VMM_TRY(file_read(file, segment->p_offset, host, segment->p_filesz));
	memset(host + segment->p_filesz, 0, segment->p_memsz - segment->p_filesz);
	if (segment->p_paddr + segment->p_memsz > kernel->end)
		kernel->end = segment->p_paddr + segment->p_memsz;
	return NULL;
}

static bool is_named(const char *name, uint32_t size, const char *wanted)
{
	return size == strlen(wanted) + 1 && memcmp(name, wanted, size) == 0;
}

/* A descriptor of 4 or 8 bytes: kernels write it in the width of their own words. */
static void note_take(struct elf_kernel *kernel, const Elf64_Nhdr *note, const char *name,
		      const uint8_t *descriptor)
{
	if (is_named(name, note->n_namesz, "Linux"))
		kernel->is_linux = true;
	if (!is_named(name, note->n_namesz, "Xen") || note->n_type != XEN_ELFNOTE_PHYS32_ENTRY ||
	    note->n_descsz < sizeof(kernel->pvh_entry))
		return;
	memcpy(&kernel->pvh_entry, descriptor, sizeof(kernel->pvh_entry));
	kernel->has_pvh_entry = true;
}

static uint64_t note_round(uint64_t size, uint64_t align)
{
	return (size + align - 1) & ~(align - 1);
}

/* Notes end where the next one does not fit: a damaged tail is as good as none. */
static void notes_walk(struct elf_kernel *kernel, const uint8_t *notes, uint64_t size,
		       uint64_t align)
{
	Elf64_Nhdr note;
	uint64_t at = 0;

	while (size - at >= sizeof(note)) {
		memcpy(&note, notes + at, sizeof(note));

		uint64_t name = at + sizeof(note);
		uint64_t descriptor = name + note_round(note.n_namesz, align);
		uint64_t end = descriptor + note_round(note.n_descsz, align);

		if (descriptor > size || note.n_descsz > size - descriptor)
			return;
		note_take(kernel, &note, (const char *)notes + name, notes + descriptor);
		if (end > size)
			return;
		at = end;
	}
}

static struct vmm_error *notes_read(const struct elf_file *file, const Elf64_Phdr *segment,
				    struct elf_kernel *kernel)
{
	if (segment->p_filesz == 0 || segment->p_filesz > NOTES_MAX)
		return NULL;

	_cleanup_free_ uint8_t *notes = malloc(segment->p_filesz);

	if (!notes)
		return vmm_error_no_memory();
	VMM_TRY(file_read(file, segment->p_offset, notes, segment->p_filesz));
	notes_walk(kernel, notes, segment->p_filesz, segment->p_align == 8 ? 8 : 4);
	return NULL;
}

/* The upper half of the canonical addresses, where 64-bit kernels live and programs cannot. */
static bool is_kernel_half(uint64_t address)
{
	return address >> 63;
}

static struct vmm_error *segments_survey(const struct elf_file *file, struct elf_kernel *kernel)
{
	Elf64_Phdr segment;

	for (unsigned i = 0; i < file->header_count; i++) {
		VMM_TRY(program_header_read(file, i, &segment));
		if (segment.p_type == PT_LOAD && is_kernel_half(segment.p_vaddr))
			kernel->in_kernel_half = true;
		else if (segment.p_type == PT_NOTE)
			VMM_TRY(notes_read(file, &segment, kernel));
	}
	return NULL;
}

/*
 * A program is an ELF file for the same machine, and a static one (busybox) even says physical
 * addresses above 1 MiB. But it cannot be linked to run in the kernel's half, and a vmlinux is
 * linked nowhere else (since the first x86-64 Linux: __START_KERNEL_map). Whatever has a PVH entry
 * says itself that it is a kernel, wherever it is linked.
 */
static bool is_program(const struct elf_kernel *kernel)
{
	return kernel->is_64bit && !kernel->has_pvh_entry && !kernel->in_kernel_half;
}

static struct vmm_error *segments_load(const struct elf_file *file, struct elf_kernel *kernel,
				       const struct guest_memory *memory)
{
	Elf64_Phdr segment;

	for (unsigned i = 0; i < file->header_count; i++) {
		VMM_TRY(program_header_read(file, i, &segment));
		if (segment.p_type == PT_LOAD)
			VMM_TRY(segment_load(file, &segment, kernel, memory));
	}
	if (kernel->end == 0)
		return vmm_error_new(VMM_EXIT_USAGE,
				     "%s has nothing to load: it is no kernel but an object file",
				     file->path);
	return NULL;
}

struct vmm_error *elf_kernel_load(struct elf_kernel *kernel, const char *path,
				  const struct guest_memory *memory)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct elf_file file = {.fd = fd, .path = path};
	struct stat status;

	*kernel = (struct elf_kernel){0};
	if (fd < 0)
		return vmm_error_errno(VMM_EXIT_USAGE, errno, "cannot open the kernel %s", path);
	if (fstat(fd, &status) < 0)
		return vmm_error_errno(VMM_EXIT_FAILED, errno, "cannot ask about the kernel %s",
				       path);
	if (!S_ISREG(status.st_mode))
		return vmm_error_new(VMM_EXIT_USAGE, "the kernel %s is not a file", path);
	file.size = (uint64_t)status.st_size;
	VMM_TRY(header_read(&file, kernel));
	VMM_TRY(segments_survey(&file, kernel));
	if (is_program(kernel))
		return vmm_error_new(
			VMM_EXIT_USAGE,
			"%s is a program, not a kernel (no PVH entry, nothing linked in "
			"the kernel's half of the addresses): give an uncompressed "
			"vmlinux or a PVH kernel",
			path);
	return segments_load(&file, kernel, memory);
}
