/* SPDX-License-Identifier: MIT */
#define FIRMWARE __attribute__((ms_abi))
