/* SPDX-License-Identifier: MIT */
double grade(double value);

double grade(double value)
{
	if (value > 2.25)
		return 2.0;
	return value;
}
