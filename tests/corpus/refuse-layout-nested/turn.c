/* SPDX-License-Identifier: MIT */
#include "state.h"

int turn(int value)
{
	machine.wheels[1].angle += value;
	machine.turns++;
	return machine.wheels[1].angle;
}
