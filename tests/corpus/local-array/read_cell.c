/* SPDX-License-Identifier: MIT */
int read_cell(const int *cells, int index);

int read_cell(const int *cells, int index)
{
	return cells[index];
}
