/* SPDX-License-Identifier: MIT */
#define COROUTINE_MODES
