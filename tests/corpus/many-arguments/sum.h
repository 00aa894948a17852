/* SPDX-License-Identifier: MIT */
long sum(long a, long b, long c, long d, long e, long f, long g, long h);
