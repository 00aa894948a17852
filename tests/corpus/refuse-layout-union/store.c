/* SPDX-License-Identifier: MIT */
int store(int value);

union cell {
	int number;
	char text[4];
};

static volatile union cell cell;

int store(int value)
{
	cell.number = value;
	return cell.number;
}
