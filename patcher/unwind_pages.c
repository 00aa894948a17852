/* SPDX-License-Identifier: MIT */
/* The page cache of unwind_modules.h. */
#include "patcher/unwind_pages.h"

#include <stdlib.h>
#include <string.h>

#include "patcher/stack_memory.h"

#define PAGE	4096
#define BUCKETS 1024
/* 32 MiB; the largest .eh_frame that was ever seen on a VMM is a few MiB. */
#define PAGES_MAX 8192

struct unwind_page {
	struct unwind_page *next;
	uint64_t address;
	uint8_t bytes[PAGE];
};

static size_t bucket_of(uint64_t address)
{
	return (address / PAGE) % BUCKETS;
}

static struct unwind_page *load_page(struct unwind_modules *modules, uint64_t address)
{
	struct unwind_page *page = malloc(sizeof(*page));

	if (!page)
		return NULL;
	if (!stack_read(modules->memory, address, page->bytes, PAGE)) {
		free(page);
		return NULL;
	}
	page->address = address;
	page->next = modules->pages[bucket_of(address)];
	modules->pages[bucket_of(address)] = page;
	modules->page_count++;
	return page;
}

static struct unwind_page *find_page(struct unwind_modules *modules, uint64_t address)
{
	struct unwind_page *page;

	if (!modules->pages)
		modules->pages = calloc(BUCKETS, sizeof(struct unwind_page *));
	if (!modules->pages)
		return NULL;
	for (page = modules->pages[bucket_of(address)]; page; page = page->next)
		if (page->address == address)
			return page;
	if (modules->page_count >= PAGES_MAX)
		unwind_pages_drop(modules);
	return modules->pages ? load_page(modules, address) : NULL;
}

bool unwind_pages_read(void *context, uint64_t address, void *buffer, size_t count)
{
	uint8_t *at = buffer;

	while (count) {
		uint64_t inside = address % PAGE;
		size_t piece = count < PAGE - inside ? count : PAGE - inside;
		const struct unwind_page *page = find_page(context, address - inside);

		if (!page)
			return false;
		memcpy(at, page->bytes + inside, piece);
		at += piece;
		address += piece;
		count -= piece;
	}
	return true;
}

bool unwind_pages_read_uncached(void *context, uint64_t address, void *buffer, size_t count)
{
	const struct unwind_modules *modules = context;

	return stack_read(modules->memory, address, buffer, count);
}

void unwind_pages_drop(struct unwind_modules *modules)
{
	for (size_t i = 0; modules->pages && i < BUCKETS; i++) {
		while (modules->pages[i]) {
			struct unwind_page *page = modules->pages[i];

			modules->pages[i] = page->next;
			free(page);
		}
	}
	modules->page_count = 0;
}
