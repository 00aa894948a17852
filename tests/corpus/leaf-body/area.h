/* SPDX-License-Identifier: MIT */
int area(int side);
