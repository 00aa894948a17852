/* SPDX-License-Identifier: MIT */
/* Whatever the tables of the fixes hold (patches/qemu: the files of this name) has room here. */
#define VGRAFT_SHADOW_COUNT (256 + 1024 + 4096)
#define VGRAFT_SHADOW_BYTES 128
#include <vgraft/hooks.h>

VGRAFT_SHADOW_VARIABLES;
