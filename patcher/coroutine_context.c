/* SPDX-License-Identifier: MIT */
/* One saved context: is it one, and what is in it? */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ucontext.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "patcher/coroutine.h"
#include "patcher/stack_memory.h"

/* Words of glibc's __jmp_buf (sysdeps/x86_64/jmpbuf-offsets.h). */
enum { JB_RBX, JB_RBP, JB_R12, JB_R13, JB_R14, JB_R15, JB_RSP, JB_RIP, JB_WORDS };

static uint64_t demangle(const struct coroutine_search *search, uint64_t word)
{
	return (word >> 17 | word << 47) ^ search->guard;
}

static bool is_plausible(const struct coroutine_search *search,
			 const struct coroutine_context *context)
{
	uint64_t rsp = context->registers[CFI_RSP];
	const struct vg_map *code = vg_maps_find(search->maps, context->registers[CFI_RIP]);
	const struct vg_map *stack = rsp % 8 ? NULL : vg_maps_find(search->maps, rsp);

	return code && code->executable && stack && stack->writable;
}

static bool read_jmp_buf(const struct coroutine_search *search, struct coroutine_context *context)
{
	uint64_t words[JB_WORDS];

	if (!stack_read(search->memory, context->address, words, sizeof(words)))
		return false;
	context->registers[CFI_RBX] = words[JB_RBX];
	context->registers[CFI_RBP] = demangle(search, words[JB_RBP]);
	context->registers[CFI_R12] = words[JB_R12];
	context->registers[CFI_R13] = words[JB_R13];
	context->registers[CFI_R14] = words[JB_R14];
	context->registers[CFI_R15] = words[JB_R15];
	context->registers[CFI_RSP] = demangle(search, words[JB_RSP]);
	context->registers[CFI_RIP] = demangle(search, words[JB_RIP]);
	context->known =
		1u << CFI_RBX | 1u << CFI_RBP | 0xfu << CFI_R12 | 1u << CFI_RSP | 1u << CFI_RIP;
	return true;
}

static bool read_ucontext(const struct coroutine_search *search, struct coroutine_context *context)
{
	static const int from[CFI_REGISTERS] = {
		[CFI_RAX] = REG_RAX, [CFI_RDX] = REG_RDX, [CFI_RCX] = REG_RCX, [CFI_RBX] = REG_RBX,
		[CFI_RSI] = REG_RSI, [CFI_RDI] = REG_RDI, [CFI_RBP] = REG_RBP, [CFI_RSP] = REG_RSP,
		[CFI_R8] = REG_R8,   [CFI_R9] = REG_R9,	  [CFI_R10] = REG_R10, [CFI_R11] = REG_R11,
		[CFI_R12] = REG_R12, [CFI_R13] = REG_R13, [CFI_R14] = REG_R14, [CFI_R15] = REG_R15,
		[CFI_RIP] = REG_RIP,
	};
	mcontext_t saved;

	if (!stack_read(search->memory, context->address + offsetof(ucontext_t, uc_mcontext),
			&saved, sizeof(saved)))
		return false;
	if ((uint64_t)saved.fpregs != context->address + offsetof(ucontext_t, __fpregs_mem))
		return false;
	for (unsigned i = 0; i < CFI_REGISTERS; i++)
		context->registers[i] = (uint64_t)saved.gregs[from[i]];
	/* What a call may clobber, and rax, is not saved by getcontext (rdi to r9 are). */
	context->known =
		((1u << CFI_REGISTERS) - 1) & ~(1u << CFI_RAX | 1u << CFI_R10 | 1u << CFI_R11);
	return true;
}

size_t coroutine_bytes(enum coroutine_kind kind)
{
	return kind == COROUTINE_JMP_BUF ? JB_WORDS * sizeof(uint64_t) : sizeof(ucontext_t);
}

bool coroutine_read(const struct coroutine_search *search, uint64_t address,
		    enum coroutine_kind kind, struct coroutine_context *context)
{
	*context = (struct coroutine_context){.address = address, .kind = kind};
	if (kind == COROUTINE_JMP_BUF ? !read_jmp_buf(search, context)
				      : !read_ucontext(search, context))
		return false;
	return is_plausible(search, context);
}

/* glibc takes the second 8 of the 16 random bytes (dl_setup_pointer_guard). */
bool coroutine_guard(const struct vg_memory *memory, uint64_t *guard)
{
	char path[64];
	Elf64_auxv_t entry;

	snprintf(path, sizeof(path), "/proc/%d/auxv", memory->pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && read(fd, &entry, sizeof(entry)) == sizeof(entry))
		if (entry.a_type == AT_RANDOM)
			return stack_read(memory, entry.a_un.a_val + 8, guard, sizeof(*guard));
	return false;
}
