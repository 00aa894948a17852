/* SPDX-License-Identifier: MIT */
#define RATE 20
