/* SPDX-License-Identifier: MIT */
/* A small valid patch object, made with the writer, for tests of readers and of the command line.
 */
#ifndef TESTS_LIB_SMALL_PATCH_H
#define TESTS_LIB_SMALL_PATCH_H

#include <stddef.h>
#include <stdint.h>

/* One of every kind of record. The caller frees *bytes. Aborts if the writer fails. */
void vg_small_patch(uint8_t **bytes, size_t *count);

#endif
