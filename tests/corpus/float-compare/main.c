/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

double grade(double value);

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%.3f\n", grade(atof(line)));
		fflush(stdout);
	}
	return 0;
}
