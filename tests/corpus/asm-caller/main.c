/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

int call_area(int side);

__asm__(".text\n"
	".globl call_area\n"
	".hidden call_area\n"
	".type call_area, @function\n"
	"call_area:\n"
	"	.cfi_startproc\n"
	"	subq $8, %rsp\n"
	"	.cfi_def_cfa_offset 16\n"
	"	call area@PLT\n"
	"	addq $8, %rsp\n"
	"	.cfi_def_cfa_offset 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size call_area, . - call_area\n");

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		printf("%d\n", call_area(atoi(line)));
		fflush(stdout);
	}
	return 0;
}
