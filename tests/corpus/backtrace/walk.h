/* SPDX-License-Identifier: MIT */
int walk(int value);
int look(int value);
