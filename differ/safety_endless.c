/* SPDX-License-Identifier: MIT */
/*
 * endless: a thread in a function that never comes back stays in the old code for ever, and a patch
 * of that function waits for it for ever. Such is a function with a cycle, reachable from its
 * entry, from which neither a return nor a tail call can be reached. One that ends in exit or abort
 * has no such cycle and is none. Nor is one whose cycle only computes on its way there, as the
 * reporters of errors do that scan a text before they longjmp: such a cycle has a way out, and in
 * it is no call, no system call and no variable that another thread may have to change first.
 *
 *   1. The control flow graph: lines of the function and of its cold pieces. A jump through a table
 *      goes wherever the tables that the function uses point; any other indirect jump is a tail
 *      call. Behind a call that does not return stands code of another path, or nothing; what is
 *      called in the same object is asked, by its own graph, before an answer depends on it.
 *   2. Backwards from all exits: who can come back.
 *   3. Forwards from the entry through those who cannot: if that part has a cycle, it is endless.
 * The strongly connected components tell (R. Tarjan, Depth-first search and linear graph
 * algorithms).
 */
#include <string.h>

#include "common/error.h"
#include "differ/die_sections.h"
#include "differ/inline_chain.h"
#include "differ/safety.h"

struct node {
	struct vg_item *item;
	const struct vg_line *line;
	uint32_t next[2]; /* indices; UINT32_MAX: none */
	bool is_table_jump;
	bool is_exit, can_exit;
	bool is_pending;	/* of the search for a cycle: its component is not known yet */
	uint32_t visit, lowest; /* when it was seen, 0 never; the earliest one that it leads to */
};

struct graph {
	struct vg_patch_build *build;
	const struct vg_type_table *types; /* of the object */
	struct vg_item *function;
	bool asks_callees;
	VG_LIST(struct node) nodes;
	VG_LIST(uint32_t) table; /* where table jumps lead */
};

#define NOWHERE UINT32_MAX

static bool is_own_code(const struct graph *graph, const struct vg_item *item)
{
	return item == graph->function ||
	       (item && vg_item_is_part(item) && item->object == graph->function->object &&
		strstr(item->name, ".cold") && !strcmp(item->base, graph->function->base));
}

static uint32_t find_node(const struct graph *graph, const struct vg_item *item, int64_t offset)
{
	size_t low = 0, high = graph->nodes.count;

	while (low < high && graph->nodes.at[low].item != item)
		low++;
	while (high > low && graph->nodes.at[high - 1].item != item)
		high--;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((int64_t)graph->nodes.at[middle].line->instruction.address < offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < graph->nodes.count && graph->nodes.at[low].item == item &&
	    (int64_t)graph->nodes.at[low].line->instruction.address == offset)
		return (uint32_t)low;
	return NOWHERE;
}

static struct vg_error *add_code(struct graph *graph, struct vg_item *item)
{
	struct vg_listing *listing;

	VG_TRY(vg_listing_get(graph->build->decoder, item, &listing));
	for (size_t i = 0; i < listing->count; i++) {
		struct node node = {
			.item = item, .line = &listing->lines[i], .next = {NOWHERE, NOWHERE}};

		if (!vg_list_push(graph->build->arena, &graph->nodes, node))
			return vg_error_no_memory();
	}
	return NULL;
}

static struct vg_error *add_table_entry(struct graph *graph, uint32_t node)
{
	for (size_t i = 0; i < graph->table.count; i++)
		if (graph->table.at[i] == node)
			return NULL;
	return node == NOWHERE || vg_list_push(graph->build->arena, &graph->table, node)
		       ? NULL
		       : vg_error_no_memory();
}

static struct vg_error *read_table(struct graph *graph, const struct vg_item *table)
{
	size_t count;
	struct vg_object_reloc *relocs = vg_item_relocs(table, &count);

	for (size_t i = 0; i < count; i++) {
		int64_t at = (int64_t)(relocs[i].offset - table->offset), offset;
		int64_t bias =
			vg_reloc_is_pc_relative(relocs[i].type) ? vg_item_start(table, at) - at : 0;
		struct vg_item *to;

		if (vg_reloc_target(&relocs[i], bias, &to, &offset) && is_own_code(graph, to))
			VG_TRY(add_table_entry(graph, find_node(graph, to, offset)));
	}
	return NULL;
}

static struct vg_error *read_tables(struct graph *graph)
{
	for (size_t i = 0; i < graph->nodes.count; i++) {
		const struct vg_line *line = graph->nodes.at[i].line;

		for (unsigned r = 0; r < line->reference_count; r++)
			if (line->references[r].item && line->references[r].item->section &&
			    !vg_item_is_function(line->references[r].item))
				VG_TRY(read_table(graph, line->references[r].item));
	}
	return NULL;
}

static uint32_t following(const struct graph *graph, size_t i)
{
	if (i + 1 < graph->nodes.count && graph->nodes.at[i + 1].item == graph->nodes.at[i].item)
		return (uint32_t)i + 1;
	return NOWHERE;
}

static struct vg_error *comes_back(const struct graph *caller, struct vg_item *function,
				   bool *does);

static struct vg_error *check_return(const struct graph *graph, const struct vg_line *line,
				     bool *returns)
{
	struct vg_item *callee = line->reference_count ? line->references[0].item : NULL;
	bool is_call = line->instruction.flow == VG_FLOW_CALL ||
		       line->instruction.flow == VG_FLOW_CALL_INDIRECT;

	*returns = !is_call || !callee || !vg_safety_is_noreturn(graph->types, callee);
	if (*returns && is_call && graph->asks_callees && callee && vg_item_is_function(callee) &&
	    !line->references[0].offset)
		return comes_back(graph, callee, returns);
	return NULL;
}

/* To another function: a tail call, which comes back for us. */
static void set_jump(struct graph *graph, struct node *node)
{
	const struct vg_reference *to =
		node->line->reference_count ? &node->line->references[0] : NULL;

	if (to && is_own_code(graph, to->item))
		node->next[1] = find_node(graph, to->item, to->offset);
	else if (!to || !to->item || !vg_safety_is_noreturn(graph->types, to->item))
		node->is_exit = true;
}

static struct vg_error *set_edges(struct graph *graph, size_t i)
{
	struct node *node = &graph->nodes.at[i];
	bool returns;

	switch ((enum vg_flow)node->line->instruction.flow) {
	case VG_FLOW_RETURN:
		node->is_exit = true;
		break;
	case VG_FLOW_STOP:
		break;
	case VG_FLOW_JUMP_INDIRECT:
		node->is_table_jump = graph->table.count;
		node->is_exit = !graph->table.count;
		break;
	case VG_FLOW_JUMP:
		set_jump(graph, node);
		break;
	case VG_FLOW_CONDITIONAL:
		set_jump(graph, node);
		node->next[0] = following(graph, i);
		break;
	default:
		VG_TRY(check_return(graph, node->line, &returns));
		if (returns)
			node->next[0] = following(graph, i);
	}
	return NULL;
}

static bool leads_to_exit(const struct graph *graph, const struct node *node)
{
	for (int i = 0; i < 2; i++)
		if (node->next[i] != NOWHERE && graph->nodes.at[node->next[i]].can_exit)
			return true;
	for (size_t i = 0; node->is_table_jump && i < graph->table.count; i++)
		if (graph->nodes.at[graph->table.at[i]].can_exit)
			return true;
	return node->is_exit;
}

/* Step 2: until nothing changes any more. */
static void find_exits(struct graph *graph)
{
	for (bool again = true; again;) {
		again = false;
		for (size_t i = graph->nodes.count; i-- > 0;) {
			struct node *node = &graph->nodes.at[i];

			if (!node->can_exit && leads_to_exit(graph, node))
				again = node->can_exit = true;
		}
	}
}

struct step {
	uint32_t node, edge;
};

static uint32_t edge_of(const struct graph *graph, const struct node *node, uint32_t edge)
{
	if (edge < 2)
		return node->next[edge];
	if (node->is_table_jump && edge - 2 < graph->table.count)
		return graph->table.at[edge - 2];
	return NOWHERE;
}

static uint32_t edge_count(const struct graph *graph, const struct node *node)
{
	return 2 + (node->is_table_jump ? (uint32_t)graph->table.count : 0);
}

/* What may leave time to others, or look whether they have done something. */
static bool may_wait(const struct vg_line *line)
{
	const struct vg_instruction *instruction = &line->instruction;

	return instruction->flow == VG_FLOW_CALL || instruction->flow == VG_FLOW_CALL_INDIRECT ||
	       instruction->is_wait || (instruction->is_rip_relative && !instruction->is_lea);
}

/* The nodes of a component are those that are pending from `first` on. */
struct component {
	const uint32_t *nodes;
	size_t count;
	uint32_t since; /* the visit of its first one */
};

static bool holds(const struct component *component, const struct node *node)
{
	return node->is_pending && node->visit >= component->since;
}

static bool is_endless(const struct graph *graph, const struct component *component)
{
	bool is_cycle = false, has_end = false, waits = false;

	for (size_t i = 0; i < component->count; i++) {
		const struct node *node = &graph->nodes.at[component->nodes[i]];
		bool leaves = node->line->instruction.flow == VG_FLOW_CONDITIONAL &&
			      node->next[1] == NOWHERE;

		if (node->can_exit)
			return false;
		for (uint32_t e = 0; e < edge_count(graph, node); e++) {
			uint32_t to = edge_of(graph, node, e);

			if (to != NOWHERE && holds(component, &graph->nodes.at[to]))
				is_cycle = true;
			else
				leaves |= to != NOWHERE;
		}
		has_end |= leaves;
		waits |= may_wait(node->line);
	}
	return is_cycle && (waits || !has_end);
}

struct search {
	VG_LIST(struct step) path;
	VG_LIST(uint32_t) pending;
	uint32_t visits;
};

static struct vg_error *enter(struct graph *graph, struct search *search, uint32_t index)
{
	struct node *node = &graph->nodes.at[index];

	node->visit = node->lowest = ++search->visits;
	node->is_pending = true;
	if (!vg_list_push(graph->build->arena, &search->path, ((struct step){.node = index})) ||
	    !vg_list_push(graph->build->arena, &search->pending, index))
		return vg_error_no_memory();
	return NULL;
}

/* All edges of the last node of the path are done; if it began a component, that is known now. */
static bool leave(struct graph *graph, struct search *search)
{
	struct node *node = &graph->nodes.at[search->path.at[--search->path.count].node];
	struct component component = {.since = node->visit};
	size_t first = search->pending.count;
	bool endless;

	if (search->path.count) {
		struct node *from = &graph->nodes.at[search->path.at[search->path.count - 1].node];

		from->lowest = node->lowest < from->lowest ? node->lowest : from->lowest;
	}
	if (node->lowest != node->visit)
		return false;
	while (first && graph->nodes.at[search->pending.at[first - 1]].visit >= node->visit)
		first--;
	component.nodes = search->pending.at + first;
	component.count = search->pending.count - first;
	endless = is_endless(graph, &component);
	for (size_t i = 0; i < component.count; i++)
		graph->nodes.at[component.nodes[i]].is_pending = false;
	search->pending.count = first;
	return endless;
}

/* Step 3: a depth-first search from the entry. */
static struct vg_error *find_cycle(struct graph *graph, const struct node **cycle)
{
	struct search search = {0};

	*cycle = NULL;
	VG_TRY(enter(graph, &search, 0));
	while (search.path.count) {
		struct step *step = &search.path.at[search.path.count - 1];
		struct node *node = &graph->nodes.at[step->node];
		uint32_t to;

		if (step->edge == edge_count(graph, node)) {
			if (leave(graph, &search)) {
				*cycle = node;
				return NULL;
			}
			continue;
		}
		to = edge_of(graph, node, step->edge++);
		if (to == NOWHERE)
			continue;
		if (!graph->nodes.at[to].visit)
			VG_TRY(enter(graph, &search, to));
		else if (graph->nodes.at[to].is_pending && graph->nodes.at[to].visit < node->lowest)
			node->lowest = graph->nodes.at[to].visit;
	}
	return NULL;
}

static struct vg_error *build_graph(struct graph *graph)
{
	VG_TRY(add_code(graph, graph->function));
	for (size_t i = 0; i < graph->function->object->item_count; i++) {
		struct vg_item *item = graph->function->object->items[i];

		if (item != graph->function && is_own_code(graph, item))
			VG_TRY(add_code(graph, item));
	}
	VG_TRY(read_tables(graph));
	for (size_t i = 0; i < graph->nodes.count; i++)
		VG_TRY(set_edges(graph, i));
	find_exits(graph);
	return NULL;
}

/* Recursion is taken to come back, until the answer is known. */
static struct vg_error *comes_back(const struct graph *caller, struct vg_item *function, bool *does)
{
	struct graph graph = {.build = caller->build,
			      .types = caller->types,
			      .function = function,
			      .asks_callees = true};

	if (!function->is_asked) {
		function->is_asked = true;
		VG_TRY(build_graph(&graph));
		function->never_returns = graph.nodes.count && !graph.nodes.at[0].can_exit;
	}
	*does = !function->never_returns;
	return NULL;
}

static uint64_t address_of(const struct graph *graph, const struct node *node)
{
	return vg_die_address(graph->function->section->index,
			      graph->function->offset + node->line->instruction.address);
}

/* The first place of the endless part that was inlined tells most. */
static struct vg_error *describe_inlining(struct graph *graph, const struct node *cycle,
					  const char **text)
{
	const char *chain = NULL;

	*text = "";
	VG_TRY(vg_inline_chain(graph->build->arena, graph->function->object->path,
			       graph->function->base, address_of(graph, cycle), &chain));
	for (size_t i = 0; !chain && i < graph->nodes.count; i++)
		if (graph->nodes.at[i].visit && !graph->nodes.at[i].can_exit &&
		    graph->nodes.at[i].item == graph->function)
			VG_TRY(vg_inline_chain(graph->build->arena, graph->function->object->path,
					       graph->function->base,
					       address_of(graph, &graph->nodes.at[i]), &chain));
	if (chain)
		*text = vg_arena_printf(graph->build->arena, ", which holds %s by inlining,", chain)
				?: "";
	return NULL;
}

static struct vg_error *find_endless(struct graph *graph, const struct node **cycle)
{
	*cycle = NULL;
	graph->nodes.count = graph->table.count = 0;
	VG_TRY(build_graph(graph));
	return graph->nodes.count ? find_cycle(graph, cycle) : NULL;
}

static struct vg_error *check_item(struct vg_patch_build *build, struct vg_change *change,
				   struct vg_item *item)
{
	struct graph graph = {.build = build,
			      .types = vg_pair_of(build, change->pair, item)->pre_types,
			      .function = item};
	const struct node *cycle;
	const char *inlining;

	VG_TRY(find_endless(&graph, &cycle));
	graph.asks_callees = true;
	if (cycle)
		VG_TRY(find_endless(&graph, &cycle));
	if (!cycle)
		return NULL;
	VG_TRY(describe_inlining(&graph, cycle, &inlining));
	return vg_refuse(
		build, VG_RULE_ENDLESS, change->post->source,
		vg_place_of(build, change->pair, change->post),
		"%s%s never comes back: it loops around +0x%llx with no way to a "
		"return, so a thread in it would keep the patch waiting for ever; move the "
		"change into a function that the loop calls",
		change->post->source, inlining,
		(unsigned long long)cycle->line->instruction.address);
}

struct vg_error *vg_safety_check_endless(struct vg_patch_build *build, struct vg_change *change)
{
	return check_item(build, change, change->pre);
}
