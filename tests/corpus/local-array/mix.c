/* SPDX-License-Identifier: MIT */
int mix(int value);
int read_cell(const int *cells, int index);

int mix(int value)
{
	int cells[12] = {3, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47};

	return read_cell(cells, value);
}
