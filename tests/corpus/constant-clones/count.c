/* SPDX-License-Identifier: MIT */

/* One copy for each caller's constants; it stays as it is. */
static __attribute__((noinline)) int count(const char *line, char from, char to, int weight)
{
	int found = 0;

	for (; *line; line++)
		if (*line >= from && *line <= to)
			found += weight;
	return found;
}

/* So has this one, and the copies change. */
static __attribute__((noinline)) int first(const char *line, char from, char to, int other)
{
	for (int i = 0; line[i]; i++)
		if (line[i] >= from && line[i] <= to)
			return i;
	return other;
}

int letters(const char *line)
{
	return 100 * count(line, 'a', 'z', 1) + first(line, 'a', 'z', 9);
}

int digits(const char *line)
{
	return 100 * count(line, '0', '9', 2) + first(line, '0', '9', 8);
}
