/* SPDX-License-Identifier: MIT */
int take(int value);

int take(int value)
{
	if (value < 10) {
		static struct {
			int last, count;
		} seen;

		seen.last = value;
		return ++seen.count;
	} else {
		static struct {
			long last, count, sum;
		} seen = {0, 100, 0};

		seen.last = value;
		seen.sum += value;
		return (int)++seen.count;
	}
}
