/* SPDX-License-Identifier: MIT */
_Noreturn void leave(int code);
_Noreturn void reject(int value);
