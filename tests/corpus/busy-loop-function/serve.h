/* SPDX-License-Identifier: MIT */
int serve(void);
int area(int side);
