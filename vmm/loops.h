/* SPDX-License-Identifier: MIT */
/*
 * Every function of the VMM that does not come back is in loops.c. Each one waits in a system
 * call and calls a function that comes back, over and over, and does nothing else: so that any
 * other function can be replaced while the threads run, and none of these ever needs to be. What a
 * failed system call means is for the called function to decide too.
 */
#ifndef VMM_LOOPS_H
#define VMM_LOOPS_H

struct machine;

void *vcpu_loop(void *vcpu);
void *virtio_blk_loop(void *disk);
void *console_loop(void *console);
void main_loop(struct machine *machine);

#endif
