/* SPDX-License-Identifier: MIT */
int sum(int value);

extern int before_cells[2], cells[4], after_cells[2];
int before_cells[2] = {1000, 1000};
int cells[4] = {1, 2, 3, 4};
int after_cells[2] = {2000, 2000};

int sum(int value)
{
	int total = value;

	for (volatile int *cell = cells; cell != cells + 4; cell++)
		total += *cell;
	return total;
}
