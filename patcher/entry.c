/* SPDX-License-Identifier: MIT */
#include "patcher/entry.h"

#include <inttypes.h>
#include <string.h>

#include "patcher/chain.h"
#include "patcher/stub.h"

#define PAGE 4096

/*
 * The kernel writes another process's memory page by page, and looks for a SIGKILL to the writer
 * before each: an entry that lies across two pages could be left half armed, and the threads, which
 * the kernel lets go when the tool dies, would run it. No recovery comes before them.
 */
static bool crosses_page(uint64_t entry)
{
	return entry % PAGE > PAGE - VGP_JUMP_BYTES;
}

/* What the first bytes must be: the original ones, or the jump to the newest older patch. */
static bool expected_start(const struct vg_session *session, const struct vgp_function *function,
			   struct vg_entry *entry, uint8_t expected[VGP_JUMP_BYTES])
{
	struct vg_link top, bottom;

	if (!vg_chain_top(&session->areas, entry->address, &top)) {
		memcpy(expected, function->entry, VGP_JUMP_BYTES);
		return true;
	}
	entry->below = vg_link_record(&top)->dispatcher;
	vg_chain_bottom(&session->areas, entry->address, &bottom);
	return memcmp(vg_link_record(&bottom)->saved, function->entry, VGP_JUMP_BYTES) == 0 &&
	       vg_stub_entry_jump(entry->address, entry->below, expected);
}

struct vg_error *vg_entry_check(const struct vg_session *session, const struct vg_patch *patch,
				const struct vgp_function *function, uint64_t bias,
				struct vg_entry *entry)
{
	const char *name = vg_patch_string(patch, function->name);
	uint8_t expected[VGP_MAX_ENTRY], now[VGP_MAX_ENTRY];

	*entry = (struct vg_entry){.address = bias + function->old_address};
	if (crosses_page(entry->address))
		return vg_error_new(VG_REFUSED,
				    "the entry of %s at 0x%" PRIx64
				    " lies across two pages and can't be armed in one store; "
				    "change its callers instead",
				    name, entry->address);
	memcpy(expected, function->entry, function->entry_bytes);
	VG_TRY(vg_memory_read(&session->target.memory, entry->address, now, function->entry_bytes));
	if (!expected_start(session, function, entry, expected) ||
	    memcmp(now, expected, function->entry_bytes) != 0)
		return vg_error_new(VG_REFUSED,
				    "the code at the entry of %s (0x%" PRIx64
				    ") is not what patch %s was built for; is a breakpoint or "
				    "another live patch there?",
				    name, entry->address, vg_patch_name(patch));
	memcpy(entry->now, now, VGP_JUMP_BYTES);
	return NULL;
}
