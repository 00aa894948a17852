/* SPDX-License-Identifier: MIT */
int turn(int value);

enum state { IDLE, BUSY, DONE };
static enum state state;

int turn(int value)
{
	if (value)
		state = BUSY;
	return state == BUSY ? value : 0;
}
