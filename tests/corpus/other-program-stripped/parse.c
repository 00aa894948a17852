/* SPDX-License-Identifier: MIT */
__attribute__((noinline)) int parse(const char *line, int length);
__attribute__((noinline)) int weigh(const char *line, int length);

static __attribute__((noinline)) int digits(const char *line, int length)
{
	int value = 0;

	for (int i = 0; i < length; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
		value = value * 10 + line[i] - '0';
	}
	return value;
}

int parse(const char *line, int length)
{
	int value = digits(line, length);

	if (value < 0)
		return length > 1 && line[0] == '-' ? -digits(line + 1, length - 1) : 0;
	return value;
}

int weigh(const char *line, int length)
{
	unsigned weight = 5381;

	for (int i = 0; i < length; i++)
		weight = weight * 33 + (unsigned char)line[i];
	for (int i = length; i-- > 0;)
		weight ^= (unsigned)line[i] << (i % 16);
	return (int)(weight % 1000);
}
