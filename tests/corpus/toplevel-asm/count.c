/* SPDX-License-Identifier: MIT */
int count(int value);

extern int raw_total __attribute__((visibility("hidden")));

__asm__(".data\n"
	".balign 4\n"
	".globl raw_total\n"
	".hidden raw_total\n"
	".type raw_total, @object\n"
	".size raw_total, 4\n"
	"raw_total:\n"
	"	.long 40\n"
	".text\n");

int count(int value)
{
	raw_total += value;
	return raw_total;
}
