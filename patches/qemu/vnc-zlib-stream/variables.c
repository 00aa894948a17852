/* SPDX-License-Identifier: MIT */
/* A stream for each VNC client. Apart, so that a patch of several can take hooks.c as it is. */
#define VGRAFT_SHADOW_COUNT 256
#define VGRAFT_SHADOW_BYTES 128
#include <vgraft/hooks.h>

VGRAFT_SHADOW_VARIABLES;
