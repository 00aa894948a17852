/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int area(int side);

/* A copy takes the file's name: what runs is a deleted file from now on. */
static int replace_file(void)
{
	char path[4096], command[8300];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0)
		return 1;
	path[length] = '\0';
	snprintf(command, sizeof(command), "cp '%s' '%s.new' && mv '%s.new' '%s'", path, path, path,
		 path);
	return system(command);
}

int main(void)
{
	char line[64];

	if (replace_file() != 0)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", area(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
