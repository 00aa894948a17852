/* SPDX-License-Identifier: MIT */
int total(int value);

#define PLUGIN __attribute__((section("plugins"), used))

static PLUGIN int first = 10;
static PLUGIN int second = 20;
static PLUGIN int third = 30;

extern int __start_plugins[], __stop_plugins[];

__attribute__((section(".text.special"))) int total(int value)
{
	int sum = 0;

	for (int *item = __start_plugins; item < __stop_plugins; item++)
		sum += *item;
	return sum + value;
}
