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

static bool has_room(const struct user_regs_struct *regs, const struct vg_map *map)
{
	return regs->rsp - map->start >= VG_HOLD_STACK_ROOM;
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
			      const struct vg_memory *memory, const struct vg_maps *maps)
{
	const struct vg_map *map = vg_maps_find(maps, regs->rsp);

	if (!is_64_bit(regs))
		return "runs 32-bit code";
	if (!map || !map->writable || !is_on_own_stack(regs, map))
		return "is not on its own stack";
	if (!has_room(regs, map))
		return "has too little stack left";
	if (is_in_vdso(regs, maps))
		return "runs in the vDSO";
	if (is_in_rseq(tid, regs, memory))
		return "is in a restartable sequence";
	if (dispatches_syscalls(tid))
		return "dispatches its system calls to itself";
	return NULL;
}
