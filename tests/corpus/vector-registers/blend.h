/* SPDX-License-Identifier: MIT */
typedef int four __attribute__((vector_size(16)));
four blend(four a, four b);
