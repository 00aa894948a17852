/* SPDX-License-Identifier: MIT */
int serve(int value);
int work(void);
extern int depth;

static void leave(const int *unused)
{
	(void)unused;
	depth--;
}

__attribute__((noipa)) static int guarded(void)
{
	__attribute__((cleanup(leave))) int here = 0;
	int done = work();

	(void)here;
	return done + 1;
}

int serve(int value)
{
	return guarded() * value * 10;
}
