/* SPDX-License-Identifier: MIT */
extern long balance;

long pay(long amount);
long fee(long amount);
long total(long amount);
long turn(long amount);
