/* SPDX-License-Identifier: MIT */
int with_callback(int (*callback)(void));
