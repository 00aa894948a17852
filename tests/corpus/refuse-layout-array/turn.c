/* SPDX-License-Identifier: MIT */
int turn(int value);

struct ring {
	int slots[4];
	int next;
};
static struct ring ring;

int turn(int value)
{
	ring.slots[ring.next++ & 3] = value;
	return ring.slots[0] + ring.next;
}
