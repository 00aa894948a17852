/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int device_request(int number, int bytes);

/* BYTES goes to device 0, -BYTES to device 1 */
int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		int bytes = atoi(line);

		printf("%d\n", device_request(bytes < 0, abs(bytes)));
		fflush(stdout);
	}
	return 0;
}
