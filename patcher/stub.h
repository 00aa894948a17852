/* SPDX-License-Identifier: MIT */
/*
 * The code between an armed entry and the new or old code of its function.
 *
 *   entry:       jmp   dispatcher
 *   dispatcher:  jmp   *slot(%rip)
 *   select:      pushf
 *                push  %rax
 *                movabs switch_word, %al      the switch word may be in another area, out of reach
 *                test  %al, %al
 *                pop   %rax
 *                jne   1f                     (je, while a replacing patch goes in)
 *                popf
 *                jmp   *below(%rip)
 *             1: popf
 *                jmp   *new_code(%rip)
 *
 * No register and no flag is changed: clones made by the compiler rely on call-clobbered ones. The
 * stack below the return address is free at a function's entry (System V ABI, 3.2.2: the red zone
 * belongs to the function that is running).
 */
#ifndef PATCHER_STUB_H
#define PATCHER_STUB_H

#include <stdbool.h>
#include <stdint.h>

#include <vgraft/area.h>

#define VG_STUB_BYTES  48 /* dispatcher and select of one function */
#define VG_STUB_SELECT 8  /* offset of select behind the dispatcher */

/*
 * Writes the stubs of one function. `record` is the address of its vga_function, `switch_word` that
 * of the switch word; `record->dispatcher` says where the stubs lie. `replaced`: the word is that
 * of a patch that replaces this one, and 1 means that this one is off.
 */
void vg_stub_write(const struct vga_function *function, uint64_t record, uint64_t switch_word,
		   bool replaced, uint8_t stub[VG_STUB_BYTES]);
/* The jump that arms an entry. False: out of reach. */
bool vg_stub_entry_jump(uint64_t entry, uint64_t dispatcher, uint8_t jump[VGP_JUMP_BYTES]);
/* The target of such a jump; false if the bytes are none. */
bool vg_stub_jump_target(uint64_t entry, const uint8_t bytes[VGP_JUMP_BYTES], uint64_t *target);

#endif
