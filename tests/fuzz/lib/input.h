/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: promises that abort, and inputs that are read as files. */
#ifndef TESTS_FUZZ_LIB_INPUT_H
#define TESTS_FUZZ_LIB_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise of the reader that holds for every input; a broken one is a finding. */
#define PROMISE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

/* Reads every byte, so that a range that is not all there is found. */
void fuzz_touch(const void *bytes, size_t count);
void fuzz_touch_string(const char *string); /* NULL is allowed */

/* A file in memory that holds the input; the caller closes it. */
int fuzz_file(const uint8_t *data, size_t size);
/* The name under which a reader that takes a path opens it. */
#define FUZZ_PATH_BYTES 32
void fuzz_path(int fd, char path[FUZZ_PATH_BYTES]);

/* Makes bytes pass for a patch object up to its sections: magic, sizes and checksum. */
void fuzz_reseal(uint8_t *bytes, size_t count);

#endif
