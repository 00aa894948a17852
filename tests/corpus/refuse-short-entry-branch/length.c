/* SPDX-License-Identifier: MIT */
int length(const char *text);
int measure(const char *text);
int stride(int value);

int length(const char *text)
{
	int count = 0;

	while (text[count])
		count++;
	return count;
}

__attribute__((noinline)) int stride(int value)
{
	return value * 1000003 / 1000003;
}

int measure(const char *text)
{
	return stride(length(text));
}
