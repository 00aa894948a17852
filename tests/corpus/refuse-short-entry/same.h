/* SPDX-License-Identifier: MIT */
int same(int value);
int neighbour(int value);
