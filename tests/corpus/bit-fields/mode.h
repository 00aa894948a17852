/* SPDX-License-Identifier: MIT */
struct mode {
	unsigned level : 3;
	unsigned on : 1;
	unsigned rest : 12;
};
extern struct mode mode;
void set_mode(unsigned level);
