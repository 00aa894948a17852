/* SPDX-License-Identifier: MIT */
#include "differ/match_facts.h"

#include <search.h>
#include <string.h>

#include "common/error.h"

static int by_name(const void *left, const void *right)
{
	const struct vg_fact *a = left, *b = right;

	return strcmp(a->name, b->name);
}

struct vg_error *vg_facts_note(struct vg_facts *facts, const char *name, uint64_t address)
{
	struct vg_fact wanted = {.name = name}, *fact;
	struct vg_fact *const *found = tfind(&wanted, &facts->tree, by_name);

	if (found) {
		(*found)->is_disputed |= (*found)->address != address;
		return NULL;
	}
	fact = vg_arena_alloc(facts->arena, 1, sizeof(*fact));
	if (!fact)
		return vg_error_no_memory();
	*fact = (struct vg_fact){.name = name, .address = address};
	if (!tsearch(fact, &facts->tree, by_name))
		return vg_error_no_memory();
	facts->count++;
	return NULL;
}

const struct vg_fact *vg_facts_find(const struct vg_facts *facts, const char *name)
{
	struct vg_fact wanted = {.name = name};
	struct vg_fact *const *found;

	if (!facts || facts->is_silent)
		return NULL;
	found = tfind(&wanted, &facts->tree, by_name);
	return found && !(*found)->is_disputed ? *found : NULL;
}

static void keep(void *fact)
{
	(void)fact; /* of the arena */
}

void vg_facts_close(struct vg_facts *facts)
{
	tdestroy(facts->tree, keep);
	*facts = (struct vg_facts){0};
}
