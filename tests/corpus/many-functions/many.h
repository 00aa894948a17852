/* SPDX-License-Identifier: MIT */
#define STEP(number)                                                                               \
	int f##number(int value);                                                                  \
	int f##number(int value)                                                                   \
	{                                                                                          \
		return value * value * value;                                                      \
	}
