/* SPDX-License-Identifier: MIT */
/*
 * Words of guest memory by which a test and a firmware of this folder talk. All of a firmware's
 * machine is in real mode; its 64 KiB lie below 1 MiB and below 4 GiB, and run from F000:0000.
 */
#ifndef TESTS_QEMU_FIRMWARE_WORDS_H
#define TESTS_QEMU_FIRMWARE_WORDS_H

#define WORD_GO	      0x500 /* from the test, 1: begin */
#define WORD_FIRED    0x504 /* what should not happen has happened */
#define WORD_SURVIVED 0x508 /* what should happen has happened */
#define WORD_READY    0x50c /* the firmware has come to the point */
#define WORD_SENT     0x510 /* between the processors */

/* loop.S: two bytes that jump to themselves until the test changes them to LOOP_LEAVE. */
#define LOOP_CODE  0x600
#define LOOP_LEAVE 0x9090 /* two NOPs */

#endif
