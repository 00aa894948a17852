/* SPDX-License-Identifier: MIT */
int blend(int value);

__attribute__((target_clones("default", "avx2"))) int blend(int value)
{
	int sum = 0;

	for (int i = 0; i <= value; i++)
		sum += i * 2;
	return sum;
}
