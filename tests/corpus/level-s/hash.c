/* SPDX-License-Identifier: MIT */
int hash(const char *text);

int hash(const char *text)
{
	unsigned value = 5381;

	while (*text)
		value = value * 33 + (unsigned char)*text++;
	return (int)value;
}
