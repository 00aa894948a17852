/* SPDX-License-Identifier: MIT */
#ifndef STEPS_H
#define STEPS_H

#ifdef __cplusplus
extern "C" {
#endif

/* outer() calls inner(), which calls this. */
extern int (*step)(int value);
int outer(int value);
int inner(int value);

#ifdef __cplusplus
}
#endif

#endif
