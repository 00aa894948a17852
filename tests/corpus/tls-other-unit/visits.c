/* SPDX-License-Identifier: MIT */
extern __thread int visits, others;
__thread int others = 5;
__thread int visits = 7;
