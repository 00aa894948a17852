/* SPDX-License-Identifier: MIT */
#include "patcher/load_order.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#define MAX_LINKS 65536
#define MAX_TAGS  512

/* The start of struct link_map and struct r_debug (link.h), which debuggers rely on as well. */
struct link {
	uint64_t bias, name, dynamic, next, previous;
};
struct debug {
	int32_t version, padding;
	uint64_t map;
};

static uint64_t debug_address(const struct vg_memory *memory, const struct vg_module *module)
{
	for (uint64_t i = 0; module->dynamic && i < MAX_TAGS; i++) {
		uint64_t at = module->dynamic + i * sizeof(Elf64_Dyn);
		Elf64_Dyn entry;

		if (vg_memory_read_some(memory, at, &entry, sizeof(entry)) != sizeof(entry) ||
		    entry.d_tag == DT_NULL)
			return 0;
		if (entry.d_tag == DT_DEBUG)
			return entry.d_un.d_ptr;
	}
	return 0;
}

/* Only the main program has a DT_DEBUG that is filled in. */
static uint64_t first_link(const struct vg_memory *memory, const struct vg_modules *modules)
{
	for (size_t i = 0; i < modules->count; i++) {
		uint64_t address = debug_address(memory, &modules->modules[i]);
		struct debug debug;

		if (address &&
		    vg_memory_read_some(memory, address, &debug, sizeof(debug)) == sizeof(debug))
			return debug.map;
	}
	return 0;
}

static const struct vg_module *module_with_dynamic(const struct vg_modules *modules,
						   uint64_t dynamic)
{
	for (size_t i = 0; i < modules->count; i++)
		if (dynamic && modules->modules[i].dynamic == dynamic)
			return &modules->modules[i];
	return NULL;
}

static void add(const struct vg_module **order, size_t *count, const struct vg_module *module)
{
	for (size_t i = 0; i < *count; i++)
		if (order[i] == module)
			return;
	order[(*count)++] = module;
}

void vg_load_order(const struct vg_memory *memory, const struct vg_modules *modules,
		   const struct vg_module **order)
{
	uint64_t at = first_link(memory, modules);
	size_t count = 0;

	for (unsigned i = 0; at && i < MAX_LINKS; i++) {
		struct link link;
		const struct vg_module *module;

		if (vg_memory_read_some(memory, at, &link, sizeof(link)) != sizeof(link))
			break;
		module = module_with_dynamic(modules, link.dynamic);
		if (module)
			add(order, &count, module);
		at = link.next;
	}
	for (size_t i = 0; i < modules->count; i++)
		add(order, &count, &modules->modules[i]);
}
