/* SPDX-License-Identifier: MIT */
/* A guard for each listener. Apart, so that a patch of several fixes can take hooks.c as it is. */
#define VGRAFT_SHADOW_COUNT 4096
#define VGRAFT_SHADOW_BYTES 64
#include <vgraft/hooks.h>

VGRAFT_SHADOW_VARIABLES;
