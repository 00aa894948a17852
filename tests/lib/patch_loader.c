/* SPDX-License-Identifier: MIT */
/*
 * A patch object applied from inside, before main(): preloaded into a program under test, it maps
 * the segments beside the program, applies the relocations and arms the entries, all by the letter
 * of <vgraft/patch.h>. It shares no code with the patcher, so that each can be told wrong alone.
 *
 * Environment: LOADER_PATCH names the object; LOADER_DISPLACED=1 leads the entries to the displaced
 * instructions instead of the new code, which must leave the program as it was.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vgraft/patch.h>

struct loader {
	const uint8_t *bytes;
	const struct vgp_section *sections[VGP_HOOKS + 1];
	uint64_t bias;
	uint8_t *segments[2];
};

static void fail(const char *what)
{
	fprintf(stderr, "patch loader: %s\n", what);
	_exit(99);
}

static const void *records(const struct loader *loader, int type, size_t size, size_t *count)
{
	const struct vgp_section *section = loader->sections[type];

	*count = section ? section->bytes / size : 0;
	return section ? loader->bytes + section->offset : NULL;
}

static const char *string(const struct loader *loader, uint32_t offset)
{
	size_t count;

	return (const char *)records(loader, VGP_STRINGS, 1, &count) + offset;
}

static void open_object(struct loader *loader, const char *path)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &status))
		fail("cannot open the object");
	loader->bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);

	const struct vgp_header *header = (const void *)loader->bytes;
	const struct vgp_section *section = (const void *)(loader->bytes + sizeof(*header));

	for (uint32_t i = 0; i < header->section_count; i++)
		loader->sections[section[i].type] = &section[i];
}

static int find_bias(struct dl_phdr_info *info, size_t size, void *context)
{
	struct loader *loader = context;
	const char *module = getenv("LOADER_MODULE");

	(void)size;
	if (module ? !strstr(info->dlpi_name, module) : *info->dlpi_name != '\0')
		return 0;
	loader->bias = info->dlpi_addr;
	return 1;
}

/* The first free place above the module; the kernel refuses one that is taken. */
static uint8_t *map_near(uint64_t address, size_t bytes)
{
	for (uint64_t at = (address + (1u << 24)) & ~0xffffull; at < address + (1ull << 30);
	     at += 1u << 20) {
		void *got = mmap((void *)at, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (got != MAP_FAILED)
			return got;
	}
	fail("no room near the module");
	return NULL;
}

static void map_segments(struct loader *loader)
{
	size_t count, contents_bytes, functions;
	const struct vgp_segment *segments =
		records(loader, VGP_SEGMENTS, sizeof(*segments), &count);
	const uint8_t *contents = records(loader, VGP_CONTENTS, 1, &contents_bytes);
	const struct vgp_function *function =
		records(loader, VGP_FUNCTIONS, sizeof(*function), &functions);
	uint8_t *area = map_near(loader->bias + function->old_address, 1u << 20);

	for (size_t i = 0; i < count; i++) {
		loader->segments[i] = area;
		memcpy(area, contents + segments[i].content_offset, segments[i].content_bytes);
		area += (segments[i].memory_bytes + 4095) & ~4095u;
	}
}

static uint64_t import_address(const struct loader *loader, uint32_t index)
{
	size_t count;
	const struct vgp_import *import = records(loader, VGP_IMPORTS, sizeof(*import), &count);
	const char *version = string(loader, import[index].version);
	const char *name = string(loader, import[index].name);
	void *address = *version ? dlvsym(RTLD_DEFAULT, name, version) : dlsym(RTLD_DEFAULT, name);

	if (!address && !(import[index].flags & VGP_IMPORT_WEAK))
		fail(name);
	return (uint64_t)address;
}

static uint64_t base_of(const struct loader *loader, const struct vgp_reloc *reloc)
{
	switch (reloc->base) {
	case VGP_BASE_MODULE:
		return loader->bias;
	case VGP_BASE_SEGMENT:
		return (uint64_t)loader->segments[reloc->index];
	case VGP_BASE_IMPORT:
		return import_address(loader, reloc->index);
	default:
		return 0;
	}
}

static void relocate(const struct loader *loader, const struct vgp_reloc *reloc)
{
	uint8_t *place = loader->segments[reloc->segment] + reloc->offset;
	uint64_t value = base_of(loader, reloc) + (uint64_t)reloc->addend;
	int64_t distance = (int64_t)(value - (uint64_t)place);

	switch (reloc->type) {
	case VGP_ABS64:
	case VGP_TPOFF64:
		memcpy(place, &value, 8);
		break;
	case VGP_PC64:
		memcpy(place, &distance, 8);
		break;
	case VGP_PC32:
		if (distance != (int32_t)distance)
			fail("PC32 out of reach");
		memcpy(place, &distance, 4);
		break;
	case VGP_ABS32:
		if (value != (uint32_t)value)
			fail("ABS32 does not fit");
		memcpy(place, &value, 4);
		break;
	default:
		if ((int64_t)value != (int32_t)value)
			fail("32-bit signed value does not fit");
		memcpy(place, &value, 4);
	}
}

static void arm(const struct loader *loader, const struct vgp_function *function)
{
	uint8_t *entry = (uint8_t *)loader->bias + function->old_address;
	uint8_t *page = (uint8_t *)((uint64_t)entry & ~4095ull);
	int displaced = getenv("LOADER_DISPLACED") != NULL;
	uint8_t *to = loader->segments[0] +
		      (displaced ? function->displaced_offset : function->new_offset);
	int32_t distance = (int32_t)(to - (entry + 5));

	if (memcmp(entry, function->entry, function->entry_bytes))
		fail("entry bytes differ");
	if (mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC))
		fail("mprotect");
	entry[0] = 0xe9;
	memcpy(entry + 1, &distance, 4);
}

__attribute__((constructor)) static void load(void)
{
	struct loader loader = {0};
	const char *path = getenv("LOADER_PATCH");
	size_t count;

	if (!path)
		return;
	open_object(&loader, path);
	dl_iterate_phdr(find_bias, &loader);
	map_segments(&loader);

	const struct vgp_reloc *relocs = records(&loader, VGP_RELOCS, sizeof(*relocs), &count);

	for (size_t i = 0; i < count; i++)
		relocate(&loader, &relocs[i]);

	const struct vgp_function *functions =
		records(&loader, VGP_FUNCTIONS, sizeof(*functions), &count);

	for (size_t i = 0; i < count; i++)
		if (functions[i].kind == VGP_CHANGED)
			arm(&loader, &functions[i]);
}
