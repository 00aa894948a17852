/* SPDX-License-Identifier: MIT */
int scale(int value);
