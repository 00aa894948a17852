/* SPDX-License-Identifier: MIT */
int turn(int value);

typedef int length;
struct rod {
	length size;
	int cuts;
};
static struct rod rod;

int turn(int value)
{
	rod.size += value;
	rod.cuts++;
	return rod.size + rod.cuts;
}
