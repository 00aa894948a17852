/* SPDX-License-Identifier: MIT */
/* Numbers as users write them on the command line. */
#ifndef VMM_SIZE_H
#define VMM_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A memory size: digits with K, M or G behind them (1,024; either case); a plain number is MiB.
 * False for anything else, for zero and for what does not fit 64 bits.
 */
bool size_parse(const char *text, uint64_t *bytes);

/* A plain decimal number from `low` to `high`. */
bool number_parse(const char *text, uint64_t low, uint64_t high, uint64_t *value);

#endif
