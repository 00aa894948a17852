/* SPDX-License-Identifier: MIT */
void *work(void *unused);
int count_one(int value);
