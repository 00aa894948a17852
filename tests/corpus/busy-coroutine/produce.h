/* SPDX-License-Identifier: MIT */
void produce(void);
void yield(int value);
