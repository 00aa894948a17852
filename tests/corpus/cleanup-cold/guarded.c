/* SPDX-License-Identifier: MIT */
int guarded(int value);
int work(int value);
extern int depth;

static void leave(const int *value)
{
	depth -= *value;
}

static __attribute__((cold, noinline)) int rarely(int value)
{
	return work(value) * 3;
}

int guarded(int value)
{
	__attribute__((cleanup(leave))) int here = value;

	depth += value;
	if (__builtin_expect(value < -100 || value > 100, 0))
		return rarely(here) + rarely(here + 1);
	return work(here) + 1;
}
