/* SPDX-License-Identifier: MIT */
/* The configurations that a program is run in beside its own. */
#ifndef TESTS_CORPUS_MATRIX_H
#define TESTS_CORPUS_MATRIX_H

#include <stdbool.h>

#include "tests/corpus/expect.h"
#include "tests/corpus/workspace.h"

#define MATRIX_CELLS (2 * 3 * 4) /* gcc, clang; -O0, -O2, -O3; pie, nopie, static, shared */

/* Cell 0 .. MATRIX_CELLS - 1; `label` gets the words that name it. */
void matrix_cell(unsigned cell, struct configuration *configuration, char *label,
		 size_t label_bytes);
/* Does the program make sense there? Its key `matrix` limits it. */
bool matrix_has(const struct expect *expect, const struct configuration *configuration);
/* Is the cell of the program in the sample of one in `rate` that belongs to `seed`? */
bool matrix_is_sampled(unsigned long seed, const char *program, unsigned cell, unsigned long rate);

#endif
