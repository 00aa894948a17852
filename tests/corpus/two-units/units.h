/* SPDX-License-Identifier: MIT */
int left(int value);
int right(int value);
