/* SPDX-License-Identifier: MIT */
/* HLT wherever the processor begins. */
	.fill	0x10000, 1, 0xf4
