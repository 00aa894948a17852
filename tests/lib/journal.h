/* SPDX-License-Identifier: MIT */
/*
 * What an interrupted verb left in a target, in words: all that recovery reads there, so that two
 * targets with the same text are in the same state for it.
 */
#ifndef TESTS_LIB_JOURNAL_H
#define TESTS_LIB_JOURNAL_H

#include <stdbool.h>
#include <sys/types.h>

struct vg_journal {
	/*
	 * Mappings without a header, userfaultfds, and for each patch its state, its switch word,
	 * how many areas it has, whether a userfaultfd is noted; where its content counts, for each
	 * function what the slot, the word below and the entry lead to, how many GOT slots lead to
	 * its area, and a checksum of records, stubs, entries and GOT slots, addresses included.
	 */
	char *text;
	bool settled; /* there is nothing to recover */
};

/* Fails the running Check test if the target cannot be read. */
void vg_journal_read(pid_t pid, struct vg_journal *journal);
void vg_journal_clear(struct vg_journal *journal);

#endif
