/* SPDX-License-Identifier: MIT */
int fire(int value);

static int on_event(int value)
{
	return value + 1;
}

/* Set when the program starts, so that no code of this unit sets it again. */
static int (*volatile listener)(int value) = on_event;

int fire(int value)
{
	return listener(value);
}
