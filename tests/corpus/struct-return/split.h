/* SPDX-License-Identifier: MIT */
struct parts {
	long thousands, rest, check;
};
struct parts split(long value);
