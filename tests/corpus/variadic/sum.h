/* SPDX-License-Identifier: MIT */
int sum(int count, ...);
