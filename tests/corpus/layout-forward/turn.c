/* SPDX-License-Identifier: MIT */
int turn(int value);

struct secret;
static struct secret *kept;

int turn(int value)
{
	kept = value ? (struct secret *)&kept : 0;
	return kept != 0;
}
