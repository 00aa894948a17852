/* SPDX-License-Identifier: MIT */
void *work(void *unused);
int limit_of(int value);
