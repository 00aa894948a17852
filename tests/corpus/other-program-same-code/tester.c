/* SPDX-License-Identifier: MIT */
/* Another program of the project, with a main() of its own. */
#include <stdio.h>

#include "scale.h"

int failures(void);

int failures(void)
{
	int count = 0;

	for (int i = 0; i < 10; i++)
		count += scale(i) != 3 * i;
	return count;
}

int main(int argc, char **argv)
{
	(void)argv;
	printf("%d of %d\n", failures(), scale(argc));
	return failures() != 0;
}
