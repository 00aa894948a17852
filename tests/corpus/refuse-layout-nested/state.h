/* SPDX-License-Identifier: MIT */
struct wheel {
	int angle;
};
struct machine {
	struct wheel wheels[2];
	int turns;
};
extern struct machine machine;
int turn(int value);
