/* SPDX-License-Identifier: MIT */
int scramble(int value);

/* Long enough for the threads to be found inside it now and then. */
int scramble(int value)
{
	volatile int work = value;

	for (int i = 0; i < 200; i++)
		work = work ^ (i & 1);
	return work + 2;
}
