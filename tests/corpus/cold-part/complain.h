/* SPDX-License-Identifier: MIT */
__attribute__((cold)) int complain(int value);
