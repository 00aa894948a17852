/* SPDX-License-Identifier: MIT */
int limit(int value);
