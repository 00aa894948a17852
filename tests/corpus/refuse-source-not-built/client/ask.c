/* SPDX-License-Identifier: MIT */
/* The other half of the project, which this build leaves out. */
int ask(int value);

int ask(int value)
{
	return value > 100 ? 100 : value;
}
