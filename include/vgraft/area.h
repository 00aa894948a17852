/* SPDX-License-Identifier: MIT */
/*
 * The patch area: what a patch looks like inside the target.
 *
 * One private anonymous mapping for each module of a patch, read-execute from the start, in reach
 * of the module's code; the tool alone writes it, through /proc/PID/mem. A DATA segment, if there
 * is one, is a read-write mapping over the tail of the area.
 *
 *   area + 0                 vga_header: identity, journal, the switch word
 *   + functions_offset       vga_function[function_count]: slots, saved entry bytes
 *   + registration_offset    vga_registration: how the target's unwinder finds the area
 *   + stubs_offset           for each function a dispatcher and the code it starts with (below);
 *                            page-aligned: what lies before it is data
 *   + unwind_offset          find_object, and the unwind information of all code of the area
 *   + text_offset            the module's TEXT segment
 *   + object_offset          the patch object itself, whole (primary area only): with it, status,
 *                            revert and recovery need no file
 *   + data_offset            the module's DATA segment (page-aligned, read-write)
 *   + area_bytes
 *
 * How a call runs:
 *
 *   entry:       jmp dispatcher                    (5 bytes, armed while all threads are stopped)
 *   dispatcher:  jmp *slot                         (changes no register and no flag)
 *   slot -> select:   pushfq; test switch word; popfq; jmp *below  or  jmp new    while in transit
 *   slot -> new                                                           once the patch is applied
 *   below -> displaced instructions, then entry + entry_bytes;            bottom of the chain
 *   below -> dispatcher of the patch that is next older on this function
 *
 * The commit is one store: switch word 0 -> 1 (one byte differs, so it cannot tear) switches every
 * function of the patch. Afterwards the slots are set to the new code one by one, which changes
 * nothing but the cost of a call. Reverting does the same backwards.
 *
 * Unwinding. An unwinder asks the dynamic linker whose code an address is: _dl_find_object(), which
 * it calls through a GOT slot. While the patch is applied that slot leads to find_object, which
 * answers for the area and asks `next` about all else:
 *
 *   slot -> find_object of the newest patch -> (next) that of an older one -> _dl_find_object
 *
 * Journal. `state` says how far a verb has come; it is written before the step that it announces:
 *
 *   MAPPED      the header stands; the content may be incomplete       -> unmap
 *   READY       content written and verified; no entry armed           -> unmap
 *   ARMING      entries may be armed, slots select, switch word decides
 *                 switch 0: old code runs everywhere                   -> disarm, unmap
 *                 switch 1: new code runs everywhere                   -> finish: APPLIED
 *   APPLIED     entries armed, switch 1; slots are going to new or there
 *   REVERTING   slots go back to select; switch word decides
 *                 switch 1: new code runs everywhere                   -> back to APPLIED
 *                 switch 0: old code runs; entries being restored      -> disarm, DISARMED
 *   DISARMED    no entry leads here; unmapped when nobody can be in it -> unmap
 *
 * While a replacing patch (VGP_REPLACE) goes in, every older patch is
 *   REPLACED    its stubs ask the switch word of the replacing patch, the other way round:
 *                 switch 0: its new code runs                          -> back to APPLIED
 *                 switch 1: below it runs, down to the original code   -> disarm, DISARMED
 * so that the one store that turns the new patch on turns all of these off. The replacing patch is
 * recovered first: it is the newest. Its table of shadow variables is complete before ARMING.
 *
 * A patch that is out, but to whose memory something in the target still points, is
 *   RETIRED     as DISARMED, and no verb speaks of it any more           -> unmap when nothing does
 *
 * Around hooks, if the patch has any of that kind (a thread may still run one):
 *   PRE_APPLY   pre-apply hooks run; no entry armed        -> wait for the hook, DISARMED, unmap
 *   POST_APPLY  new code runs everywhere; hooks run        -> wait, run them again, APPLIED
 *   PRE_REVERT  new code runs everywhere; hooks run        -> wait, APPLIED
 *   POST_REVERT no entry leads here; hooks run             -> wait, run them again, DISARMED
 *
 * What the arrow says is what the next apply or revert does first when it finds the area so
 * (recovery); status reports APPLIED areas as `applied`, says nothing of RETIRED ones, and reports
 * all others as `interrupted`.
 * An area whose mapping exists but whose header was never written is an anonymous read-execute
 * mapping, placed and sized with our mark (patcher/placement.h), of which no page was ever touched;
 * recovery unmaps it too.
 *
 * Thread context: everything here is written either before any entry is armed (target running) or
 * with all threads stopped; the exceptions are `state` and `slot`, whose stores are aligned 8-byte
 * words made with all threads stopped as well.
 */
#ifndef VGRAFT_AREA_H
#define VGRAFT_AREA_H

#include <stdint.h>

#include <vgraft/patch.h>

#define VGA_MAGIC   "vgraft patch are" /* 16 bytes, no NUL */
#define VGA_VERSION 2

enum vga_state {
	VGA_MAPPED = 1,
	VGA_READY = 2,
	VGA_ARMING = 3,
	VGA_APPLIED = 4,
	VGA_REVERTING = 5,
	VGA_DISARMED = 6,
	VGA_PRE_APPLY = 7,
	VGA_POST_APPLY = 8,
	VGA_PRE_REVERT = 9,
	VGA_POST_REVERT = 10,
	VGA_REPLACED = 11,
	VGA_RETIRED = 12,
};

struct vga_header {
	char magic[16];
	uint32_t version;
	uint32_t header_bytes;
	uint64_t area_address; /* where this header lies: a copy elsewhere is not an area */
	uint64_t area_bytes;
	uint64_t state;	      /* enum vga_state; of the primary area, which speaks for all */
	uint64_t switch_word; /* 0 = old, 1 = new; of the primary area, which speaks for all */
	uint64_t primary;     /* address of the primary area; area_address in the primary itself */
	uint64_t sequence;    /* order of applies in this process; a later patch lies above an older
				 one */
	uint64_t load_bias;   /* of the module */
	uint32_t module;      /* index in the object */
	uint32_t area_count;  /* areas of this patch */
	uint32_t function_count;
	uint32_t functions_offset;
	uint32_t stubs_offset;
	uint32_t stubs_bytes;
	uint32_t text_offset;
	uint32_t text_bytes;
	uint32_t object_offset; /* 0 in areas other than the primary */
	uint32_t object_bytes;
	uint32_t data_offset; /* 0 = no DATA segment */
	uint32_t data_bytes;
	uint32_t registration_offset;
	uint32_t unwind_offset;
	uint32_t unwind_bytes;
	uint32_t opens;	      /* 1: a userfaultfd of the tool may be in the process; the next apply
				 or revert closes it */
	uint8_t checksum[32]; /* of the patch object: which patch this is */
	char name[64];	      /* of the patch, NUL-terminated */
};

struct vga_function {
	uint64_t slot;	     /* where the dispatcher goes: select or new_code */
	uint64_t below;	     /* what runs while this patch is off: displaced, or a dispatcher */
	uint64_t entry;	     /* address of the armed entry */
	uint64_t dispatcher; /* address */
	uint64_t select;     /* address */
	uint64_t new_code;   /* address */
	uint64_t displaced;  /* address */
	uint32_t function;   /* index in the object's functions */
	uint32_t reserved;
	uint8_t saved[8]; /* the VGP_JUMP_BYTES that stood at the entry before it was armed */
};

/* A GOT slot through which a module of the target calls _dl_find_object(). */
struct vga_got_slot {
	uint64_t address;
	uint64_t saved; /* what stood there before it led to this area */
};

#define VGA_GOT_SLOTS 8

struct vga_registration {
	uint64_t find_object; /* address; 0: the target has no _dl_find_object() */
	uint64_t next;	      /* find_object of an older patch or area, or _dl_find_object() */
	uint64_t slot_count;  /* at most VGA_GOT_SLOTS */
	struct vga_got_slot slots[VGA_GOT_SLOTS];
};

static_assert(sizeof(struct vga_header) == 240, "lies in live processes");
static_assert(sizeof(struct vga_function) == 72, "lies in live processes");
static_assert(sizeof(struct vga_registration) == 152, "lies in live processes");

#endif
