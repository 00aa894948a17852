/* SPDX-License-Identifier: MIT */
const char *name(int value);
const char *keep(const char *text);

const char *name(int value)
{
	const char *text = keep(value ? "moonlight" : "light");

	return text;
}
