/* SPDX-License-Identifier: MIT */
#include "patcher/sigframe.h"

#include <cpuid.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* arch/x86/include/uapi/asm/ucontext.h and sigcontext.h */
#define UC_FP_XSTATE	     1
#define UC_SIGCONTEXT_SS     2
#define UC_STRICT_RESTORE_SS 4
#define XSTATE_MAGIC1	     0x46505853u
#define XSTATE_MAGIC2	     0x46505845u

#define FXSAVE_BYTES	 512
#define SOFTWARE_OFFSET	 464 /* bytes of the FXSAVE area that are left to software */
#define XSAVE_HEADER_END 576
#define FEATURES_FPSSE	 3ull
#define FEATURE_PKRU	 (1ull << 9)
#define INVALID_SS_FLAGS 0x7fffffff /* sigaltstack refuses it: nothing is changed */

/* include/linux/errno.h: how an interrupted call asks to be gone on with */
#define ERESTARTSYS	      512
#define ERESTARTNOINTR	      513
#define ERESTARTNOHAND	      514
#define ERESTART_RESTARTBLOCK 516

/* The kernel's struct sigcontext_64: no padding anywhere. */
struct machine_context {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
};

struct signal_frame {
	uint64_t restorer;
	uint64_t uc_flags;
	uint64_t uc_link;
	uint64_t ss_pointer;
	uint32_t ss_flags, padding;
	uint64_t ss_size;
	struct machine_context context;
	uint64_t sigmask;
	uint8_t siginfo[128];
};

/* struct _fpx_sw_bytes */
struct software_bytes {
	uint32_t magic1;
	uint32_t extended_size;
	uint64_t features;
	uint32_t state_size;
	uint32_t padding[7];
};

_Static_assert(sizeof(struct machine_context) == 256, "as the kernel has it");
_Static_assert(sizeof(struct signal_frame) == 440, "as the kernel has it");
_Static_assert(sizeof(struct software_bytes) == 48, "as the kernel has it");

void vg_sigframe_restart(struct user_regs_struct *regs)
{
	if ((int64_t)regs->orig_rax < 0)
		return; /* not in a system call */
	switch (-(int64_t)regs->rax) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
		regs->rip -= 2; /* back onto the syscall instruction */
		regs->rax = regs->orig_rax;
		break;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		regs->rax = (uint64_t)-EINTR;
		break;
	default:
		break;
	}
}

/* End of a state component in the standard format (Intel SDM vol. 1, 13.4.3; CPUID leaf 0DH). */
static size_t component_end(unsigned component)
{
	unsigned size, offset, ecx, edx;

	if (component < 2 || !__get_cpuid_count(0xd, component, &size, &offset, &ecx, &edx))
		return XSAVE_HEADER_END;
	return offset + size;
}

/*
 * Only components that are in use go into the frame: sigreturn initialises the others, which is
 * what they are. A larger frame than the thread has leave for (AMX) would be taken for a plain
 * FXSAVE frame, and AVX state would be lost. PKRU is always in use where there is one.
 */
static uint64_t features_in_use(const uint8_t *xstate)
{
	uint64_t enabled, used;

	memcpy(&enabled, xstate + SOFTWARE_OFFSET, sizeof(enabled));
	memcpy(&used, xstate + FXSAVE_BYTES, sizeof(used));
	return used | FEATURES_FPSSE | (enabled & FEATURE_PKRU);
}

static size_t state_size(uint64_t features)
{
	size_t size = XSAVE_HEADER_END;

	for (unsigned i = 2; i < 63; i++)
		if (features >> i & 1 && component_end(i) > size)
			size = component_end(i);
	return size;
}

static bool has_xstate(const struct vg_thread_state *state)
{
	return state->xstate_bytes > FXSAVE_BYTES;
}

/* Bytes of the floating point part of the frame. */
static size_t fp_bytes(const struct vg_thread_state *state)
{
	if (!has_xstate(state))
		return FXSAVE_BYTES;
	return state_size(features_in_use(state->xstate)) + sizeof(uint32_t);
}

static void put_fp_state(const struct vg_thread_state *state, uint8_t *at, size_t bytes)
{
	uint32_t magic2 = XSTATE_MAGIC2;
	struct software_bytes software = {0};

	if (!has_xstate(state)) {
		memcpy(at, state->xstate, FXSAVE_BYTES);
		memset(at + SOFTWARE_OFFSET, 0, sizeof(software));
		return;
	}
	software.magic1 = XSTATE_MAGIC1;
	software.features = features_in_use(state->xstate);
	software.state_size = (uint32_t)(bytes - sizeof(magic2));
	software.extended_size = (uint32_t)bytes;
	memcpy(at, state->xstate, software.state_size);
	memcpy(at + SOFTWARE_OFFSET, &software, sizeof(software));
	memcpy(at + software.state_size, &magic2, sizeof(magic2));
}

static void put_context(const struct vg_thread_state *state, struct machine_context *context)
{
	struct user_regs_struct regs = state->regs;

	vg_sigframe_restart(&regs);
	*context = (struct machine_context){
		.r8 = regs.r8,
		.r9 = regs.r9,
		.r10 = regs.r10,
		.r11 = regs.r11,
		.r12 = regs.r12,
		.r13 = regs.r13,
		.r14 = regs.r14,
		.r15 = regs.r15,
		.di = regs.rdi,
		.si = regs.rsi,
		.bp = regs.rbp,
		.bx = regs.rbx,
		.dx = regs.rdx,
		.ax = regs.rax,
		.cx = regs.rcx,
		.sp = regs.rsp,
		.ip = regs.rip,
		.flags = regs.eflags,
		.cs = (uint16_t)regs.cs,
		.gs = (uint16_t)regs.gs,
		.fs = (uint16_t)regs.fs,
		.ss = (uint16_t)regs.ss,
		.oldmask = state->sigmask,
	};
}

static void put_frame(const struct vg_thread_state *state, uint64_t restorer, uint64_t fp_address,
		      struct signal_frame *frame)
{
	*frame = (struct signal_frame){
		.restorer = restorer,
		.uc_flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
			    (has_xstate(state) ? UC_FP_XSTATE : 0),
		.ss_flags = INVALID_SS_FLAGS,
		.sigmask = state->sigmask,
	};
	put_context(state, &frame->context);
	frame->context.fpstate = fp_address;
}

struct vg_error *vg_sigframe_build(const struct vg_thread_state *state, uint64_t restorer,
				   struct vg_sigframe *frame)
{
	size_t fp = fp_bytes(state);
	uint64_t fp_address = (state->regs.rsp - VG_RED_ZONE - fp) & ~63ull;
	struct signal_frame head;

	if (has_xstate(state) && fp - sizeof(uint32_t) > state->xstate_bytes)
		return vg_error_new(VG_FAILED,
				    "the kernel gives %zu bytes of extended state where the CPU "
				    "says %zu",
				    state->xstate_bytes, fp);
	frame->address = ((fp_address - sizeof(head)) & ~15ull) - 8;
	frame->count = fp_address + fp - frame->address;
	frame->bytes = calloc(1, frame->count);
	if (!frame->bytes)
		return vg_error_new(VG_FAILED, "out of memory for a signal frame");
	put_frame(state, restorer, fp_address, &head);
	memcpy(frame->bytes, &head, sizeof(head));
	put_fp_state(state, frame->bytes + (fp_address - frame->address), fp);
	return NULL;
}

void vg_sigframe_clear(struct vg_sigframe *frame)
{
	free(frame->bytes);
	*frame = (struct vg_sigframe){0};
}
