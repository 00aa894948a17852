/* SPDX-License-Identifier: MIT */
/*
 * Hooks: functions that <vgraft/hooks.h> has named, in files given by --hooks or in new code of the
 * diff. They run in the target while all other threads are stopped, perhaps with locks in their
 * hands. So everything that a hook can get to is looked at:
 *
 *   functions of the patch that are new              looked at in turn
 *   plain functions on strings and memory            allowed, see `harmless`
 *   all else (the program's own functions, changed   refused, by name
 *   ones too; other imports; calls through pointers;
 *   system calls)
 */
#include <string.h>

#include "common/error.h"
#include "differ/patch_build.h"

static const struct {
	const char *prefix;
	enum vgp_hook_when when;
} kinds[] = {
	{"vgraft_hook_pre_apply_", VGP_PRE_APPLY},
	{"vgraft_hook_post_apply_", VGP_POST_APPLY},
	{"vgraft_hook_pre_revert_", VGP_PRE_REVERT},
	{"vgraft_hook_post_revert_", VGP_POST_REVERT},
};

/*
 * They take no lock, allocate nothing, make no system call and read no locale. __stack_chk_fail
 * does not come back, but is called only when the hook has overrun its stack.
 */
static const char *const harmless[] = {
	"bcmp",		"bzero",	 "memchr",	     "memcmp",	      "memcpy",
	"memmove",	"memrchr",	 "mempcpy",	     "memset",	      "rawmemchr",
	"stpcpy",	"stpncpy",	 "strchr",	     "strchrnul",     "strcmp",
	"strcpy",	"strcspn",	 "strlen",	     "strncat",	      "strncmp",
	"strncpy",	"strnlen",	 "strpbrk",	     "strrchr",	      "strspn",
	"strstr",	"strcat",	 "__memcpy_chk",     "__memmove_chk", "__memset_chk",
	"__strcpy_chk", "__strncpy_chk", "__stack_chk_fail",
};

/* The length of the prefix, or 0: no hook. */
static size_t hook_prefix(const struct vg_item *item, enum vgp_hook_when *when)
{
	if (item->kind != VG_ITEM_FUNCTION || item->twin || !item->base || vg_item_is_part(item))
		return 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(item->base, kinds[i].prefix, strlen(kinds[i].prefix))) {
			*when = kinds[i].when;
			return strlen(kinds[i].prefix);
		}
	return 0;
}

static bool is_hook(const struct vg_item *item)
{
	enum vgp_hook_when when;

	return hook_prefix(item, &when);
}

static bool is_harmless(const char *name)
{
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
		if (!strcmp(name, harmless[i]))
			return true;
	return false;
}

/* One walk from a hook. */
struct walk {
	struct vg_patch_build *build;
	const struct vg_item *hook;
	VG_LIST(struct vg_item *) seen;
};

static struct vg_error *see(struct walk *walk, struct vg_item *item)
{
	for (size_t i = 0; i < walk->seen.count; i++)
		if (walk->seen.at[i] == item)
			return NULL;
	return vg_list_push(walk->build->arena, &walk->seen, item) ? NULL : vg_error_no_memory();
}

static struct vg_error *refuse(const struct walk *walk, const struct vg_item *from,
			       const char *what, const char *name)
{
	enum vgp_hook_when when;
	const char *hook = walk->hook->base + hook_prefix(walk->hook, &when);

	return vg_error_refuse(VG_RULE_HOOK,
			       "%s: the hook %s %s%s (in %s); it runs while all other threads are "
			       "stopped, perhaps holding locks, so it may call only its own "
			       "functions and those on strings and memory",
			       from->object->file, hook, what, name,
			       is_hook(from) ? hook : from->base);
}

static bool is_branch(const struct vg_line *line)
{
	return line->instruction.flow != VG_FLOW_NEXT;
}

/* What is defined in another file of the patch, or nowhere in it. */
static struct vg_error *follow_undefined(struct walk *walk, const struct vg_item *from,
					 const struct vg_line *line, const struct vg_item *to)
{
	struct vg_piece *piece = to->reach ? to->reach->piece : NULL;

	if (piece && piece->item && vg_item_is_function(piece->item))
		return see(walk, piece->item);
	if (is_harmless(to->name) || (!is_branch(line) && !is_hook(from)))
		return NULL;
	return refuse(walk, from, "calls ", to->name);
}

/* A function whose address is taken counts as called. */
static struct vg_error *follow(struct walk *walk, struct vg_item *from, const struct vg_line *line,
			       struct vg_item *to)
{
	if (!to || to == from)
		return NULL;
	if (to->kind == VG_ITEM_UNDEFINED)
		return follow_undefined(walk, from, line, to);
	if (!vg_item_is_function(to))
		return NULL;
	if (to->twin && !strstr(to->name, ".cold"))
		return refuse(walk, from, "uses the program's function ", to->name);
	return see(walk, to);
}

/* syscall, sysenter, int $0x80 (Intel SDM vol. 2) */
static bool is_system_call(const struct vg_item *item, const struct vg_line *line)
{
	const uint8_t *bytes = vg_item_bytes(item) + line->instruction.address;

	return line->instruction.size == 2 &&
	       ((bytes[0] == 0x0f && (bytes[1] == 0x05 || bytes[1] == 0x34)) ||
		(bytes[0] == 0xcd && bytes[1] == 0x80));
}

/* The function that the patcher calls has one call through a pointer, and that to its own hook. */
static bool is_through_pointer(const struct vg_item *item, const struct vg_line *line)
{
	bool indirect = line->instruction.flow == VG_FLOW_CALL_INDIRECT ||
			line->instruction.flow == VG_FLOW_JUMP_INDIRECT;

	return indirect && !line->reference_count && !is_hook(item);
}

static struct vg_error *check_line(struct walk *walk, struct vg_item *item,
				   const struct vg_line *line)
{
	if (is_system_call(item, line))
		return refuse(walk, item, "makes a system call", "");
	if (is_through_pointer(item, line))
		return refuse(walk, item, "calls or jumps through a pointer", "");
	for (unsigned i = 0; i < line->reference_count; i++) {
		struct vg_item *to = line->references[i].item;
		bool indirect = line->instruction.flow == VG_FLOW_CALL_INDIRECT ||
				line->instruction.flow == VG_FLOW_JUMP_INDIRECT;

		/* call *pointer(%rip) of a variable, and jumps by a table */
		if (indirect && to && to->kind != VG_ITEM_UNDEFINED && !vg_item_is_function(to))
			return refuse(walk, item, "calls or jumps through ", vg_item_text(to));
		VG_TRY(follow(walk, item, line, to));
	}
	return NULL;
}

static struct vg_error *check_hook(struct vg_patch_build *build, struct vg_item *hook)
{
	struct walk walk = {.build = build, .hook = hook};

	VG_TRY(see(&walk, hook));
	for (size_t i = 0; i < walk.seen.count; i++) {
		struct vg_item *item = walk.seen.at[i];
		struct vg_listing *listing;

		VG_TRY(vg_listing_get(build->decoder, item, &listing));
		for (size_t k = 0; k < listing->count; k++)
			VG_TRY(check_line(&walk, item, &listing->lines[k]));
	}
	return NULL;
}

struct vg_error *vg_hooks_take(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->pair_count; i++) {
		struct vg_pair *pair = &build->pairs[i];

		for (size_t k = 0; k < pair->post->item_count; k++) {
			struct vg_item *item = pair->post->items[k];
			struct vg_piece *piece;

			if (!is_hook(item))
				continue;
			VG_TRY(vg_piece_of(build, pair, item, 0, &piece));
			if (!vg_list_push(build->arena, &build->hooks, item))
				return vg_error_no_memory();
		}
	}
	return NULL;
}

struct vg_error *vg_hooks_check(struct vg_patch_build *build)
{
	for (size_t i = 0; i < build->hooks.count; i++)
		VG_TRY(check_hook(build, build->hooks.at[i]));
	return NULL;
}

void vg_hook_record(const struct vg_item *item, struct vgp_hook *hook, const char **name)
{
	enum vgp_hook_when when = VGP_PRE_APPLY;

	*name = item->base + hook_prefix(item, &when);
	*hook = (struct vgp_hook){.when = when,
				  .segment = 0,
				  .offset = item->piece->offset,
				  .bytes = (uint32_t)item->piece->size};
}
