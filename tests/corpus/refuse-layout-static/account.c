/* SPDX-License-Identifier: MIT */
int account(int value);

struct account {
	int balance;
	int limit;
};

static struct account only = {.limit = 1000};

int account(int value)
{
	if (only.balance < only.limit)
		only.balance += value;
	return only.balance;
}
