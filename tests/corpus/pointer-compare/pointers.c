/* SPDX-License-Identifier: MIT */
typedef int (*handler)(int value);

int choose(int value);

static int first(int value);
static int second(int value);
/* Volatile: the compiler must not know which one it is. */
static handler volatile current = first;
static handler volatile other = second;

static __attribute__((noinline)) int first(int value)
{
	return value + 1;
}

static __attribute__((noinline)) int second(int value)
{
	return value - 1;
}

static __attribute__((noinline)) int is_first(handler candidate)
{
	return candidate == first ? 100 : 0;
}

int choose(int value)
{
	handler chosen = current;

	return chosen(value) + is_first(chosen) + is_first(other);
}
