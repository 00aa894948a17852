/* SPDX-License-Identifier: MIT */
const char *colour(int value);

static const char *const names[] = {"red", "green", "blue"};

const char *colour(int value)
{
	if (value < 0 || value >= (int)(sizeof(names) / sizeof(names[0])))
		return "?";
	return names[value];
}
