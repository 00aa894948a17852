/* SPDX-License-Identifier: MIT */
#include "patcher/hold_thread.h"

#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>

#define USER_CS 0x33 /* 64-bit code segment (arch/x86/include/asm/segment.h) */

/* linux/ptrace.h since 6.4; headers of Debian 12 are older. */
#define GET_SYSCALL_USER_DISPATCH 0x4211

/* A program may switch to 32-bit code, where `syscall` means something else. */
static bool is_64_bit(const struct user_regs_struct *regs)
{
	return regs->cs == USER_CS;
}

/*
 * A coroutine runs on a stack that was made for something else, perhaps with little room. A
 * thread's own stack is [stack], or the mapping in which the C library also keeps the thread's
 * control block.
 */
static bool is_on_own_stack(const struct user_regs_struct *regs, const struct vg_map *map)
{
	return strcmp(map->path, "[stack]") == 0 ||
	       (regs->fs_base >= map->start && regs->fs_base < map->end);
}

#define FRAME_SEARCH_BYTES (UINT64_C(256) << 10)
#define CHUNK_BYTES	   4096

/* The first words of struct rt_sigframe and ucontext (arch/x86/include/uapi/asm/ucontext.h). */
struct frame_head {
	uint64_t restorer, flags, link;
	uint64_t stack_start;
	uint64_t stack_flags; /* and padding */
	uint64_t stack_bytes;
};

/*
 * A signal frame on the stack says which alternate stack was set up when the signal came: if it is
 * the one that the frame lies on and the thread stands on, it is the handler's. Coroutines that
 * are made on alternate stacks begin in such a frame too.
 */
static bool is_frame_of(const struct frame_head *head, const struct vg_hold_needs *needs,
			uint64_t address, uint64_t rsp)
{
	return head->restorer == needs->restorer && head->stack_start <= rsp &&
	       address - head->stack_start < head->stack_bytes;
}

/* Looks from the stack pointer up; 0 if there is no such frame. */
static uint64_t start_of_alternate_stack(const struct vg_hold_needs *needs, uint64_t rsp,
					 const struct vg_map *map)
{
	const size_t tail = sizeof(struct frame_head) - 8;
	uint8_t bytes[CHUNK_BYTES + sizeof(struct frame_head) - 8];
	uint64_t at = rsp & ~UINT64_C(7), end = map->end;

	if (end - at > FRAME_SEARCH_BYTES)
		end = at + FRAME_SEARCH_BYTES;
	for (; at < end; at += CHUNK_BYTES) {
		size_t want = end - at < sizeof(bytes) ? end - at : sizeof(bytes);
		size_t got = vg_memory_read_some(needs->memory, at, bytes, want);

		for (size_t i = 0; i + tail + 8 <= got; i += 8) {
			struct frame_head head;

			memcpy(&head, bytes + i, sizeof(head));
			if (is_frame_of(&head, needs, at + i, rsp))
				return head.stack_start;
		}
		if (got < want)
			break;
	}
	return 0;
}

/* NULL: it stands on a stack whose start is known, with room below. */
static const char *why_no_room(const struct user_regs_struct *regs,
			       const struct vg_hold_needs *needs)
{
	const struct vg_map *map = vg_maps_find(needs->maps, regs->rsp);
	size_t room = VG_HOLD_STACK_ROOM;
	uint64_t start;

	if (!map || !map->writable)
		return "is not on a stack";
	start = start_of_alternate_stack(needs, regs->rsp, map);
	if (start)
		room = needs->alternate_room;
	else if (is_on_own_stack(regs, map))
		start = map->start;
	else
		return "is not on its own stack";
	return regs->rsp - start < room ? "has too little stack left" : NULL;
}

/*
 * Inside a restartable sequence (rseq(2)) the kernel sends a thread that was moved or preempted to
 * the abort handler, by its instruction pointer. Injected registers would hide it: the kernel would
 * drop the sequence, and the thread would go on in the middle of it.
 */
static bool is_in_rseq(pid_t tid, const struct user_regs_struct *regs,
		       const struct vg_memory *memory)
{
	struct __ptrace_rseq_configuration configuration;
	struct {
		uint32_t version, flags;
		uint64_t start, bytes, abort;
	} section;
	uint64_t pointer;

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, (void *)sizeof(configuration),
		   &configuration) < 0 ||
	    !configuration.rseq_abi_pointer)
		return false;
	/* struct rseq: cpu_id_start, cpu_id, rseq_cs */
	if (vg_memory_read_some(memory, configuration.rseq_abi_pointer + 8, &pointer,
				sizeof(pointer)) != sizeof(pointer))
		return true;
	if (!pointer)
		return false;
	if (vg_memory_read_some(memory, pointer, &section, sizeof(section)) != sizeof(section))
		return true;
	return regs->rip - section.start < section.bytes;
}

/*
 * With syscall user dispatch a call from the wrong address raises SIGSYS instead of being made.
 * Kernels before 6.4 do not tell.
 */
static bool dispatches_syscalls(pid_t tid)
{
	struct {
		uint64_t mode, selector, offset, bytes;
	} configuration = {0};

	return ptrace(GET_SYSCALL_USER_DISPATCH, tid, (void *)sizeof(configuration),
		      &configuration) == 0 &&
	       configuration.mode;
}

/* Code of the vDSO is the kernel's; it is left in no time. */
static bool is_in_vdso(const struct user_regs_struct *regs, const struct vg_maps *maps)
{
	const struct vg_map *map = vg_maps_find(maps, regs->rip);

	return map && strcmp(map->path, "[vdso]") == 0;
}

const char *vg_hold_why_unfit(pid_t tid, const struct user_regs_struct *regs,
			      const struct vg_hold_needs *needs)
{
	const char *why;

	if (!is_64_bit(regs))
		return "runs 32-bit code";
	why = why_no_room(regs, needs);
	if (why)
		return why;
	if (is_in_vdso(regs, needs->maps))
		return "runs in the vDSO";
	if (is_in_rseq(tid, regs, needs->memory))
		return "is in a restartable sequence";
	if (dispatches_syscalls(tid))
		return "dispatches its system calls to itself";
	return NULL;
}
