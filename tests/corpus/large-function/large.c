/* SPDX-License-Identifier: MIT */
int large(int value);
int step(int value);

static volatile int cells[800];

#define ONE(n) cells[n] = step(value + n % 9) + cells[(n + 7) % 800] * 0;
#define TEN(n)                                                                                     \
	ONE(n) ONE(n + 1) ONE(n + 2) ONE(n + 3) ONE(n + 4) ONE(n + 5) ONE(n + 6) ONE(n + 7)        \
	ONE(n + 8) ONE(n + 9)
#define HUNDRED(n)                                                                                 \
	TEN(n) TEN(n + 10) TEN(n + 20) TEN(n + 30) TEN(n + 40) TEN(n + 50) TEN(n + 60) TEN(n + 70) \
	TEN(n + 80) TEN(n + 90)

int large(int value)
{
	int sum = 0;

	HUNDRED(0) HUNDRED(100) HUNDRED(200) HUNDRED(300)
	HUNDRED(400) HUNDRED(500) HUNDRED(600) HUNDRED(700)
	for (int i = 0; i < 656; i++)
		sum += cells[0] * 5;
	return sum;
}
